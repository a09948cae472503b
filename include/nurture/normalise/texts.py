"""Texts: width, kana and kanji variants folded; what stands for nothing is nothing."""

import re
import unicodedata
from functools import lru_cache

REMEMBERED = 30_000  # distinct values that each function keeps: a file repeats few of them from far away

_SPACES = re.compile(r"\s+")
_UNTIDY = re.compile(r"[\uff00-\uffef]|[^\S ]|^ |  | $")
_WIDTH_FORMS = re.compile(r"[\uff00-\uffef]+")
_HIRAGANA_TO_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹣"), "-")

# 旧字体 and variants of names, each before the form that it is matched as. NFKC folds none of these: they are
# characters of their own. 斉, 齊 and 齋 are one name's spellings in practice (斎藤), so all are matched as 斎.
_VARIANTS = (
    "髙高﨑崎嵜崎齋斎齊斎斉斎邉辺邊辺澤沢濵浜濱浜淵渕廣広國国圓円櫻桜嶋島嶌島冨富德徳惠恵眞真槇槙龍竜瀧滝曾曽增増淸清靑青"
    "黑黒藏蔵壽寿榮栄學学實実條条經経關関總総鐵鉄萬万與与豐豊縣県區区會会禮礼彌弥𠮷吉桒桑栁柳舘館籔薮藪薮檜桧鷗鴎莊荘蘆芦"
    "鹽塩處処亞亜醫医驛駅應応歐欧奧奥橫横溫温價価畫画勳勲薰薫溪渓螢蛍輕軽藝芸權権顯顕恆恒黃黄鑛鉱號号濟済參参產産絲糸收収"
    "從従澁渋敍叙將将稱称燒焼證証乘乗淨浄讓譲釀醸晉晋愼慎盡尽粹粋數数聲声靜静攝摂專専淺浅錢銭禪禅雙双壯壮爭争裝装屬属續続"
    "對対體体帶帯臺台擇択單単擔担團団彈弾遲遅晝昼廳庁鎭鎮轉転傳伝燈灯當当黨党稻稲獨独讀読屆届霸覇拜拝賣売麥麦發発祕秘佛仏"
    "變変辨弁舖舗穗穂寶宝萠萌每毎滿満默黙譯訳藥薬豫予餘余譽誉樣様來来賴頼覽覧兩両綠緑勵励靈霊齡齢戀恋爐炉勞労樓楼祿禄錄録"
    "灣湾鷄鶏鄕郷卽即緖緒巖巌穰穣堯尭遙遥瑤瑶凛凜槌鎚埜野杦杉枩松峯峰嶽岳"
)
_MATCHED_AS = {ord(_VARIANTS[at]): _VARIANTS[at + 1] for at in range(0, len(_VARIANTS), 2)}
# 辻󠄀 is 辻 with a selector of its form behind it; a zero-width space comes along from a web page.
_UNSEEN = dict.fromkeys([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF])
_FOLDING = _HIRAGANA_TO_KATAKANA | _DASHES | _MATCHED_AS | _UNSEEN

_NOTHING = frozenset(
    (
        "-", "--", "---", ".", "..", "*", "?", "n/a", "na", "#n/a", "null", "none", "nil", "nan", "undefined",
        "unknown", "tbd", "test", "テスト", "dummy", "ダミー", "sample", "サンプル", "ナシ", "無シ", "無", "ナイ",
        "無イ", "不明", "未定", "未記入", "未入力", "未回答", "該当ナシ", "特ニナシ", "同上", "匿名", "名無シ",
        "非公開", "xxx", "xxxx", "aaa", "aaaa", "ー", "ーー", "・",
    )
)  # fmt: skip


@lru_cache(REMEMBERED)
def tidy(text: str) -> str:
    """Return the text for display: one space between words, full-width letters and half-width kana made ordinary.

    Nothing else changes: 髙, 﨑, ㈱ and ㍿ stay.
    """
    if not _UNTIDY.search(text):
        return text
    text = _WIDTH_FORMS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    return _SPACES.sub(" ", text).strip()


def fold(text: str) -> str:
    """Return the text for matching: NFKC, no case, katakana, one form of each variant kanji, one kind of dash."""
    return unicodedata.normalize("NFKC", text).casefold().translate(_FOLDING)


# Every character that such a word can begin with, in any width, case or kana: most texts are answered by their first.
_NOTHING_BEGINS = frozenset(
    letter
    for letter in {*map(chr, range(0x100)), *map(chr, range(0x2010, 0x3100)), *map(chr, range(0xFF00, 0xFFF0))}
    if not fold(letter).strip("()[]") or fold(letter)[0] in {word[0] for word in _NOTHING}
) | {word[0] for word in _NOTHING}


def is_nothing(text: str) -> bool:
    """Tell whether the text stands for a missing value: empty, `-`, `なし`, `test`, `N/A`."""
    if len(text) > 12 or (text and text[0] not in _NOTHING_BEGINS):
        return False
    folded = fold(text).strip(" \u3000()[]")
    return not folded or folded in _NOTHING


def digits(text: str) -> str:
    """Return the digits of the text, full-width ones made ordinary."""
    return "".join(re.findall(r"[0-9]+", unicodedata.normalize("NFKC", text)))
