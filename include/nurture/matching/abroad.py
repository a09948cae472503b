"""Abroad: surnames of China and Korea as they are written, and what they are read as there and in Japan.

金 敏洙 is Kim Min-su and キム ミンス. What a given name is read as, no record of ours tells.
"""

from nurture.matching.readings import canonical, romaji

_LISTED = """
王 wang wong ワン オウ; 李 li lee yi rhee リ リー イ; 張 zhang chang cheung jang チャン チョウ ジャン;
劉 liu lau lew リウ リュウ; 陳 chen chan tan チェン チン; 楊 yang yeung ヤン ヨウ;
趙 zhao chiu cho jo チャオ チョウ チョ ジャオ; 黄 huang wong hwang ホアン コウ ファン;
周 zhou chow チョウ シュウ ジョウ; 呉 wu ng oh ウー ゴ オ; 徐 xu hsu seo シュー ジョ ソ; 孫 sun son スン ソン;
馬 ma マー バ マ; 朱 zhu chu ju チュー シュ ジュー; 胡 hu wu フー コ; 郭 guo kuo kwok クオ カク グオ;
何 he ho ホー カ フー; 高 gao kao ko go ガオ コウ コ; 林 lin lam lim im リン イム; 羅 luo lo law ルオ ラ ロー;
鄭 zheng cheng jung jeong chung ジェン テイ チョン; 梁 liang leung yang リャン リョウ ヤン;
謝 xie hsieh シエ シャ; 宋 song soong ソン ソウ; 唐 tang タン トウ; 許 xu hsu heo huh シュー キョ ホ;
鄧 deng トン トウ デン; 韓 han ハン カン; 馮 feng fung フォン ヒョウ; 曹 cao tsao cho ツァオ ソウ チョ;
彭 peng ポン ホウ; 曾 zeng tseng ソン ソウ ツォン; 蕭 xiao hsiao シャオ ショウ; 田 tian ティエン デン;
董 dong ドン トウ; 袁 yuan ユエン エン; 潘 pan パン ハン; 蔡 cai tsai choi ツァイ サイ チェ; 葉 ye yeh イェ ヨウ;
魏 wei ウェイ ギ; 蒋 jiang ジアン ショウ; 杜 du ドゥ ト; 蘇 su スー ソ; 呂 lu lyu リュ ロ;
丁 ding jung ディン テイ チョン; 沈 shen shim sim シェン シム チン; 姜 jiang kang ジャン カン キョウ;
崔 cui choi choe チェ ツイ サイ; 金 kim gim jin キム キン ジン; 朴 park pak bak パク ボク; 尹 yoon yun ユン イン;
申 shin シン; 権 kwon クォン ケン; 安 ahn an アン; 柳 yoo ryu ユ リュ; 洪 hong ホン コウ;
全 jeon jun チョン ゼン; 文 moon mun ムン ブン; 白 baek paik bai ペク ハク; 南 nam ナム; 盧 noh roh lu ノ ロ;
車 cha チャ; 池 ji チ;
Return what a surname in kanji is read as, in the spelling of `canonical`; nothing for one that is not listed.;
Tell whether チャン・ミン and Min Zhang can be of one surname: kana and Latin letters render it each in its way.
"""
_SOUNDS = {
    written: frozenset(canonical(romaji(spelling)) for spelling in spellings)
    for written, *spellings in (entry.split() for entry in _LISTED.split(";"))
}


def sounds(surname: str) -> frozenset[str]:
    """Return what a surname in kanji is read as, in the spelling of `canonical`; nothing for one that is not listed."""
    return _SOUNDS.get(surname, frozenset())


def share_a_surname(one: set[str], two: set[str]) -> bool:
    """Tell whether チャン・ミン and Min Zhang can be of one surname: kana and Latin letters spell it differently."""
    return any(known & one and known & two for known in _SOUNDS.values())
