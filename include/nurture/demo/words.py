"""Words: the names, places and trades that invented people and companies are made of."""

import re
from functools import cache

_KANA = {
    "ア": "a", "イ": "i", "ウ": "u", "エ": "e", "オ": "o", "カ": "ka", "キ": "ki", "ク": "ku", "ケ": "ke", "コ": "ko",
    "サ": "sa", "シ": "shi", "ス": "su", "セ": "se", "ソ": "so", "タ": "ta", "チ": "chi", "ツ": "tsu", "テ": "te",
    "ト": "to",
    "ナ": "na", "ニ": "ni", "ヌ": "nu", "ネ": "ne", "ノ": "no", "ハ": "ha", "ヒ": "hi", "フ": "fu", "ヘ": "he",
    "ホ": "ho",
    "マ": "ma", "ミ": "mi", "ム": "mu", "メ": "me", "モ": "mo", "ヤ": "ya", "ユ": "yu", "ヨ": "yo",
    "ラ": "ra", "リ": "ri", "ル": "ru", "レ": "re", "ロ": "ro", "ワ": "wa", "ヲ": "o", "ン": "n",
    "ガ": "ga", "ギ": "gi", "グ": "gu", "ゲ": "ge", "ゴ": "go", "ザ": "za", "ジ": "ji", "ズ": "zu", "ゼ": "ze",
    "ゾ": "zo",
    "ダ": "da", "ヂ": "ji", "ヅ": "zu", "デ": "de", "ド": "do", "バ": "ba", "ビ": "bi", "ブ": "bu", "ベ": "be",
    "ボ": "bo",
    "パ": "pa", "ピ": "pi", "プ": "pu", "ペ": "pe", "ポ": "po",
}  # fmt: skip


@cache
def romaji(kana: str) -> str:
    """Return katakana in Hepburn letters as people write their own names: long vowels are not shown."""
    text = "".join(_KANA.get(letter, letter) for letter in kana)
    text = re.sub(r"([a-z])i([ャュョ])", lambda m: m[1] + {"ャ": "ya", "ュ": "yu", "ョ": "yo"}[m[2]], text)
    text = text.replace("shy", "sh").replace("chy", "ch").replace("jy", "j")
    text = re.sub(r"ッ([a-z])", r"\1\1", text).replace("ー", "")
    return re.sub(r"ou(?!e)", "o", text).replace("uu", "u")


def _listed(text: str) -> list[str]:
    return text.split()


def _pairs(text: str) -> list[tuple[str, str]]:
    """Read `佐藤サトウ`: kanji, then its reading."""
    found = [re.fullmatch(r"([^ァ-ヶー]+)([ァ-ヶー]+)", word) for word in text.split()]
    return [(match[1], match[2]) for match in found if match]


# The frequent ones first: they are drawn more often, as in a Japanese phone book.
SURNAMES = _pairs(
    """
    
    佐藤サトウ 鈴木スズキ 高橋タカハシ 田中タナカ 伊藤イトウ 渡辺ワタナベ 山本ヤマモト 中村ナカムラ 小林コバヤシ
    加藤カトウ 吉田ヨシダ 山田ヤマダ
    佐々木ササキ 山口ヤマグチ 松本マツモト 井上イノウエ 木村キムラ 林ハヤシ 斎藤サイトウ 清水シミズ 山崎ヤマザキ
    森モリ 池田イケダ 橋本ハシモト
    阿部アベ 石川イシカワ 山下ヤマシタ 中島ナカジマ 石井イシイ 小川オガワ 前田マエダ 岡田オカダ 長谷川ハセガワ
    藤田フジタ 後藤ゴトウ 近藤コンドウ
    村上ムラカミ 遠藤エンドウ 青木アオキ 坂本サカモト 斉藤サイトウ 福田フクダ 太田オオタ 西村ニシムラ 藤井フジイ
    金子カネコ 岡本オカモト 藤原フジワラ
    中野ナカノ 三浦ミウラ 原田ハラダ 中川ナカガワ 松田マツダ 竹内タケウチ 小野オノ 田村タムラ 中山ナカヤマ 和田ワダ
    石田イシダ 森田モリタ
    上田ウエダ 原ハラ 内田ウチダ 柴田シバタ 酒井サカイ 宮崎ミヤザキ 横山ヨコヤマ 高木タカギ 安藤アンドウ
    宮本ミヤモト 大野オオノ 小島コジマ
    工藤クドウ 谷口タニグチ 今井イマイ 高田タカダ 丸山マルヤマ 増田マスダ 杉山スギヤマ 村田ムラタ 大塚オオツカ
    新井アライ 小山コヤマ 平野ヒラノ
    藤本フジモト 河野コウノ 上野ウエノ 野口ノグチ 武田タケダ 松井マツイ 千葉チバ 菅原スガワラ 岩崎イワサキ 久保クボ
    木下キノシタ 佐野サノ
    野村ノムラ 松尾マツオ 市川イチカワ 菊地キクチ 杉本スギモト 古川フルカワ 大西オオニシ 島田シマダ 水野ミズノ
    桜井サクライ 高野タカノ 吉川ヨシカワ
    山内ヤマウチ 西田ニシダ 飯田イイダ 菊池キクチ 西川ニシカワ 北村キタムラ 安田ヤスダ 五十嵐イガラシ 川崎カワサキ
    平田ヒラタ 関セキ 中田ナカタ
    服部ハットリ 東ヒガシ 岩田イワタ 土屋ツチヤ 川口カワグチ 福島フクシマ 本田ホンダ 辻ツジ 樋口ヒグチ 秋山アキヤマ
    田口タグチ 永井ナガイ
    中西ナカニシ 吉村ヨシムラ 川上カワカミ 石原イシハラ 大橋オオハシ 松岡マツオカ 浅野アサノ 馬場ババ 浜田ハマダ
    森本モリモト 矢野ヤノ 栗原クリハラ
    広瀬ヒロセ 片山カタヤマ 早川ハヤカワ 富田トミタ 熊谷クマガイ 黒田クロダ 堀ホリ 尾崎オザキ 望月モチヅキ
    永田ナガタ 内藤ナイトウ 松村マツムラ
    西山ニシヤマ 大谷オオタニ 平井ヒライ 大島オオシマ 岩本イワモト 片岡カタオカ 本間ホンマ 早坂ハヤサカ 横田ヨコタ
    岡崎オカザキ 荒井アライ 大石オオイシ
    鎌田カマタ 成田ナリタ 宮田ミヤタ 小田オダ 石橋イシバシ 篠原シノハラ 須藤スドウ 河合カワイ 大沢オオサワ
    小西コニシ 南ミナミ 高山タカヤマ
    栗田クリタ 伊東イトウ 松原マツバラ 三宅ミヤケ 福井フクイ 大森オオモリ 奥村オクムラ 岡オカ 内山ウチヤマ
    片桐カタギリ 渡部ワタナベ 桑原クワバラ
    
    """
)
_MEN_FIRST = _pairs(
    """
    和カズ 健ケン 直ナオ 正マサ 義ヨシ 隆タカ 智トモ 英ヒデ 弘ヒロ 光ミツ 幸ユキ 俊トシ 雅マサ 哲テツ 克カツ 秀ヒデ
    貴タカ 浩ヒロ 孝タカ 敏トシ
    達タツ 信ノブ 康ヤス 宏ヒロ 裕ユウ 勇ユウ 晃アキ 明アキ 良ヨシ 泰ヤス 大ダイ 春ハル 悠ユウ 陽ヨウ 翔ショウ
    圭ケイ 啓ケイ 純ジュン 慎シン 真シン
    """
)
_MEN_LAST = _pairs(
    """
    樹キ 之ユキ 彦ヒコ 夫オ 也ヤ 一イチ 郎ロウ 人ト 太タ 志シ 輝キ 史シ 弥ヤ 介スケ 平ヘイ 吾ゴ 斗ト 馬マ 司ジ 典ノリ
    """
)
_WOMEN_FIRST = _pairs(
    """
    美ミ 由ユ 恵エ 真マ 奈ナ 亜ア 里リ 沙サ 優ユ 久ク 麻マ 千チ 香カ 友トモ 明アキ 裕ユウ 智トモ 順ジュン 和カズ
    紀ノリ 早サ 彩アヤ 理リ 佳ヨシ 直ナオ
    """
)
_WOMEN_LAST = _pairs(
    """
    子コ 美ミ 香カ 恵エ 奈ナ 里リ 代ヨ 紀キ 穂ホ 江エ 菜ナ 音ネ 織オリ 乃ノ 佳カ 世ヨ
    """
)
_WHOLE = _pairs(
    """
    誠マコト 茂シゲル 進ススム 学マナブ 剛ツヨシ 豊ユタカ 稔ミノル 薫カオル 忍シノブ 翼ツバサ 葵アオイ 遥ハルカ
    楓カエデ 恵メグミ 望ノゾミ 歩アユム 蓮レン 湊ミナト
    さくらサクラ ひかりヒカリ あゆみアユミ 恭子キョウコ 洋子ヨウコ 京子キョウコ 陽子ヨウコ 裕二ユウジ
    健太郎ケンタロウ 慎一郎シンイチロウ 由美子ユミコ 真由美マユミ
    """
)
GIVEN_NAMES = list(
    {
        kanji: (kanji, kana)
        for kanji, kana in [
            *((a[0] + b[0], a[1] + b[1]) for a in _MEN_FIRST for b in _MEN_LAST),
            *((a[0] + b[0], a[1] + b[1]) for a in _WOMEN_FIRST for b in _WOMEN_LAST if a[0] != b[0]),
            *(pair for pair in _WHOLE for _ in range(4)),
        ]
    }.values()
)
FOREIGN_FIRST = _listed(
    """
    James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph
    Jessica Thomas Sarah Daniel Karen Matthew Lisa Anthony Nancy Mark Betty Steven Margaret Paul Sandra Andrew
    Ashley Kenneth Emily George Donna Joshua Michelle Kevin Carol Brian Amanda Wei Li Min Anh Priya Arjun Hans
    Claire
    """
)
FOREIGN_LAST = _listed(
    """
    Smith Johnson Williams Brown Jones Garcia Miller Davis Martinez Hernandez Lopez Wilson Anderson Thomas Taylor
    Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen
    King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Chen Wang Kim Park Tran Patel
    Schmidt Dubois
    """
)
# What people type for another: the variant on the right is the same name.
VARIANTS = {
    "高": "髙",
    "崎": "﨑",
    "斎": "齋",
    "辺": "邉",
    "沢": "澤",
    "浜": "濵",
    "広": "廣",
    "桜": "櫻",
    "島": "嶋",
    "真": "眞",
}

_STEMS = """
    あおばaoba みらいmirai さくらsakura ひかりhikari みどりmidori 東都toto 大和yamato 日の出hinode 富士見fujimi
    朝日ヶ丘asahigaoka 青海aomi 北斗hokuto 南陽nanyo 瑞穂mizuho 桐生台kiryudai 三葉mitsuba 丸善寺maruzenji
    双葉futaba 若葉wakaba 明星myojo 長峰nagamine 高瀬takase 白浜shirahama 松風matsukaze 竹生takeo 梅里umesato
    光陽koyo 泰成taisei 協和台kyowadai 共栄kyoei 新和shinwa 中央第一chuodaiichi 西都saito 東洋台toyodai 千歳chitose
    常盤tokiwa 八雲yakumo 玉川台tamagawadai 柏葉kashiwaba 楠木kusunoki 星野hoshino 川辺kawabe 宮前miyamae
    大曲omagari 天竜tenryu 利根tone 筑波台tsukubadai 伊吹ibuki 木曽kiso 吉野台yoshinodai
"""
STEMS = [(match[1], match[2]) for match in re.finditer(r"([^\sa-z]+)([a-z]+)", _STEMS)]
# A trade: its words in a company's name, in its domain and in English, and the industry that its people would tick.
TRADES = [
    ("製作所", "seisakusho", "Manufacturing", "製造業"), ("工業", "kogyo", "Industries", "製造業"),
    ("精機", "seiki", "Precision", "製造業"),
    ("電機", "denki", "Electric", "製造業"), ("化学", "kagaku", "Chemical", "製造業"),
    ("食品", "shokuhin", "Foods", "製造業"),
    ("金属", "kinzoku", "Metals", "製造業"), ("運輸", "unyu", "Transport", "物流・運輸"),
    ("物流", "butsuryu", "Logistics", "物流・運輸"),
    ("倉庫", "soko", "Warehouse", "物流・運輸"), ("ロジスティクス", "logi", "Logistics", "物流・運輸"),
    ("建設", "kensetsu", "Construction", "建設"),
    ("商事", "shoji", "Trading", "卸売・小売"), ("ストア", "store", "Stores", "小売"),
    ("メディカル", "medical", "Medical", "医療・福祉"),
    ("システムズ", "systems", "Systems", "情報通信"), ("ソリューションズ", "solutions", "Solutions", "情報通信"),
    ("コンサルティング", "consulting", "Consulting", "サービス"),
]  # fmt: skip
# Prefecture, its city, the roman city, the area code, the first three digits of postal codes there; often drawn first.
PLACES = [
    ("東京都", "千代田区見本町", "Chiyoda-ku, Tokyo", "03", "100"),
    ("東京都", "港区見本町", "Minato-ku, Tokyo", "03", "105"),
    ("神奈川県", "横浜市西区見本町", "Nishi-ku, Yokohama", "045", "220"),
    ("愛知県", "名古屋市中区見本町", "Naka-ku, Nagoya", "052", "460"),
    ("埼玉県", "さいたま市大宮区見本町", "Omiya-ku, Saitama", "048", "330"),
    ("静岡県", "浜松市中央区見本町", "Chuo-ku, Hamamatsu", "053", "430"),
    ("大阪府", "大阪市北区見本町", "Kita-ku, Osaka", "06", "530"),
    ("千葉県", "千葉市中央区見本町", "Chuo-ku, Chiba", "043", "260"),
    ("福岡県", "福岡市博多区見本町", "Hakata-ku, Fukuoka", "092", "812"),
    ("北海道", "札幌市中央区見本町", "Chuo-ku, Sapporo", "011", "060"),
    ("宮城県", "仙台市青葉区見本町", "Aoba-ku, Sendai", "022", "980"),
    ("広島県", "広島市中区見本町", "Naka-ku, Hiroshima", "082", "730"),
]  # fmt: skip
DEPARTMENTS = [
    ("情報システム部", "IT"), ("総務部", "General Affairs"), ("情報システム課", "Information Systems"),
    ("人事部", "HR"), ("営業部", "Sales"),
    ("第一営業部", "Sales Dept. 1"), ("製造部", "Manufacturing"), ("経営企画室", "Corporate Planning"),
    ("購買部", "Purchasing"),
    ("DX推進室", "DX"), ("品質保証部", "QA"), ("マーケティング部", "Marketing"), ("物流部", "Logistics"),
    ("経理部", "Accounting"),
]  # fmt: skip
TITLES = [
    ("", ""), ("課長", "Manager"), ("部長", "General Manager"), ("主任", "Chief"), ("担当", "Staff"),
    ("係長", "Supervisor"),
    ("室長", "Manager"), ("取締役", "Director"), ("次長", "Deputy General Manager"),
    ("代表取締役社長", "President & CEO"), ("エンジニア", "Engineer"),
]  # fmt: skip
