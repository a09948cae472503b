"""Companies: one key for the spellings of a company, without its legal form and its branch."""

import re
from functools import lru_cache

from nurture.normalise.texts import REMEMBERED, fold, is_nothing

# Long before short, so that 一般社団法人 is not left as 一般. All are matched after folding: 國 is 国, ㈱ is (株).
_JAPANESE_FORMS = (
    "特定非営利活動法人", "独立行政法人", "国立大学法人", "公立大学法人", "地方独立行政法人", "一般社団法人",
    "一般財団法人",
    "公益社団法人", "公益財団法人", "社会福祉法人", "医療法人社団", "医療法人財団", "医療法人", "学校法人",
    "宗教法人",
    "税理士法人", "弁護士法人", "監査法人", "社会保険労務士法人", "社団法人", "財団法人", "npo法人", "株式会社",
    "有限会社",
    "合同会社", "合資会社", "合名会社", "相互会社", "協同組合", "カブシキガイシャ", "カ)", "(カ", "ユ)", "(ユ",
)  # fmt: skip
_ABBREVIATED = "株有同資名社財医学福宗独特相"  # (株) and what a narrow column leaves of it: 株) and (株
_ENGLISH_FORMS = (
    r"co\.?,?\s*ltd", r"company,?\s+limited", r"pte\.?,?\s*ltd", r"pty\.?,?\s*ltd", r"private\s+limited",
    r"pvt\.?\s*ltd", r"incorporated", r"corporation", r"kabushiki\s+kaisha", r"godo\s+kaisha", r"limited", r"company",
    r"gmbh(?:\s*&\s*co\.?\s*kg)?", r"s\.?\s*a\.?\s*r\.?\s*l", r"s\.?\s*p\.?\s*a", r"s\.\s*a", r"sa", r"s\.\s*r\.\s*l",
    r"b\.?\s*v", r"n\.?\s*v", r"a\.?\s*g", r"k\.?\s*k", r"g\.?\s*k", r"l\.?\s*l\.?\s*c", r"l\.?\s*l\.?\s*p",
    r"p\.?\s*l\.?\s*c", r"inc", r"corp", r"ltd", r"co", r"oy", r"ab",
)  # fmt: skip
_OFFICES = "本社|本店|支社|支店|営業所|事業所|出張所|事務所|支所|工場|オフィス"
_PLACES = (
    "北海道", "札幌", "青森", "岩手", "盛岡", "宮城", "仙台", "秋田", "山形", "福島", "茨城", "水戸", "つくば",
    "栃木", "宇都宮", "群馬", "高崎", "前橋", "埼玉", "大宮", "千葉", "東京", "新宿", "渋谷", "品川", "多摩",
    "立川", "神奈川", "横浜", "川崎", "相模原", "新潟", "富山", "石川", "金沢", "福井", "山梨", "甲府", "長野",
    "松本", "岐阜", "静岡", "浜松", "愛知", "名古屋", "豊田", "豊橋", "三重", "四日市", "滋賀", "京都", "大阪",
    "堺", "兵庫", "神戸", "姫路", "奈良", "和歌山", "鳥取", "島根", "松江", "岡山", "広島", "福山", "山口", "徳島",
    "香川", "高松", "愛媛", "松山", "高知", "福岡", "博多", "北九州", "佐賀", "長崎", "熊本", "大分", "宮崎",
    "鹿児島", "沖縄", "那覇", "関東", "関西", "中部", "東海", "北陸", "東北", "中国", "四国", "九州", "近畿",
    "首都圏", "東日本", "西日本", "北日本", "中日本",
)  # fmt: skip

_JAPANESE_FORM = re.compile(
    "|".join(re.escape(form) for form in _JAPANESE_FORMS)
    + rf"|\([{_ABBREVIATED}]\)?|[{_ABBREVIATED}]\)|(?<=\s)株$|^株(?=\s)"
)
_ENGLISH_FORM = re.compile(rf"(?:[\s,]+(?:{'|'.join(_ENGLISH_FORMS)})\.?)+$")
_LEADING_ENGLISH_FORM = re.compile(r"^(?:pt|k\.k\.)\s+")
_BRANCH = re.compile(
    rf"\s*(?:(?:{'|'.join(map(fold, _PLACES))})(?:第[一二三四五])?(?:{_OFFICES})"
    rf"|(?:本社|本店)|(?<=\s)(?:{_OFFICES}))$"
)
_ENGLISH_BRANCH = re.compile(r"[\s,(]+(?:[a-z]+\s+)?(?:branch|office|head office|hq|headquarters)\)?$")
_LATIN = re.compile(r"[a-z][).]?$")
_NOT_LETTERS = re.compile(r"[^\w]+|_")


@lru_cache(REMEMBERED)
def company_key(text: str) -> str | None:
    """Return the company's name for matching, or None when nothing but a legal form or a placeholder stands there."""
    if is_nothing(text):
        return None
    name = " ".join(_JAPANESE_FORM.sub(" ", fold(text)).split())
    before = ""
    while name != before:  # A branch may stand before or after the form: 「… 株式会社本社」, 「… 本社 Co., Ltd.」
        before = name
        if name[-1:] in _OFFICES:
            name = _BRANCH.sub("", name) or name
        if _LATIN.search(name):
            name = _ENGLISH_BRANCH.sub("", _LEADING_ENGLISH_FORM.sub("", _ENGLISH_FORM.sub("", name))) or name
    key = _NOT_LETTERS.sub("", name)
    return key or None
