"""Everyday Chinese that refuses, permits, tells, complains or compares: what is read, and no more than that. One line each."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import describe, parse

CATALOGS = {shelf: make("zh") for shelf, make in SHELVES.items()}

SENTENCES = [
    # what is unwanted together
    ("shop", "红色的口红不要", ["exactly 0: category: 口红 & color: 红色"]),
    ("shop", "露玛罗的口红不要", ["exactly 0: brand: 露玛罗 & category: 口红"]),
    ("films", "美国的战争片不要", ["exactly 0: country: 美国 & genres: 战争"]),
    ("shop", "20块以上的口红不要", ["exactly 0: category: 口红 & price >= 20"]),
    ("films", "2000年以后的喜剧不要", ["exactly 0: genres: 喜剧 & year >= 2000"]),
    ("films", "90年代的喜剧不要", ["exactly 0: genres: 喜剧 & year 1990..1999"]),
    ("shop", "油性的洁面乳不要", ["exactly 0: category: 洁面乳 & skin_type: 油性"]),
    ("films", "不要美国的战争片", ["exactly 0: country: 美国 & genres: 战争"]),
    ("films", "别推日本恐怖片", ["exactly 0: country: 日本 & genres: 恐怖"]),
    ("films", "除了日本恐怖片都行", ["exactly 0: country: 日本 & genres: 恐怖"]),
    ("shop", "不要红色口红", ["exactly 0: category: 口红 & color: 红色"]),
    ("films", "不想看荒川健二的战争片", ["exactly 0: director: 荒川健二 & genres: 战争"]),
    ("films", "不要爱情喜剧", ["exactly 0: genres: 喜剧 & genres: 爱情"]),
    ("shop", "红色或粉色的口红不要", ["exactly 0: category: 口红 & color: 粉色", "exactly 0: category: 口红 & color: 红色"]),
    ("films", "美国和日本的战争片不要", ["exactly 0: country: 日本 & genres: 战争", "exactly 0: country: 美国 & genres: 战争"]),
    ("shop", "不要红色或粉色的口红", ["exactly 0: category: 口红 & color: 粉色", "exactly 0: category: 口红 & color: 红色"]),
    ("films", "喜剧和恐怖都不要", ["not genres: 喜剧 | 恐怖"]),
    ("films", "美国动画不要，日本动画可以", ["country: 日本", "exactly 0: country: 美国 & genres: 动画", "genres: 动画"]),
    ("films", "美国的恐怖片不要，日本的可以", ["country: 日本", "exactly 0: country: 美国 & genres: 恐怖"]),
    ("films", "要日本动画，不要美国动画", ["country: 日本", "exactly 0: country: 美国 & genres: 动画", "genres: 动画"]),
    ("films", "90年代的不要", ["exactly 0: year 1990..1999"]),
    # fed up
    ("films", "恐怖片看多了，来点喜剧吧", ["genres: 喜剧", "not genres: 恐怖"]),
    ("films", "战争片看得太多了，想看喜剧", ["genres: 喜剧", "not genres: 战争"]),
    ("films", "最近看了太多恐怖片", ["not genres: 恐怖"]),
    ("films", "看多了恐怖片", ["not genres: 恐怖"]),
    ("films", "怎么又是恐怖片", ["not genres: 恐怖"]),
    ("films", "怎么又给我推战争片", ["not genres: 战争"]),
    ("films", "每次都推荐恐怖片，烦死了", ["not genres: 恐怖"]),
    ("films", "你怎么老给我推战争片", ["not genres: 战争"]),
    ("films", "老是给我推恐怖片，能不能来点喜剧", ["genres: 喜剧", "not genres: 恐怖"]),
    ("films", "恐怖片看多了也不怕", ["genres: 恐怖"]),
    ("films", "《静电》很无聊", ["unlike: 静电"]),
    ("films", "看过《静电》，不好看", ["unlike: 静电"]),
    ("films", "《静电》我很喜欢，来点类似的", ["like: 静电"]),
    # what was seen or bought, and what others do
    ("films", "刚看完恐怖片，想看喜剧", ["genres: 喜剧"]),
    ("films", "看了一下午的恐怖片，现在想看喜剧", ["genres: 喜剧"]),
    ("films", "室友在放恐怖片，给我找个喜剧", ["genres: 喜剧"]),
    ("films", "最近一直在看科幻，今天想看爱情片", ["genres: 爱情"]),
    ("films", "刚看了两部战争片，来点别的", []),
    ("films", "这周已经看了三部恐怖片了", []),
    ("films", "我上周看了两部喜剧，今天来部悬疑", ["genres: 悬疑"]),
    ("shop", "上个月买了三支口红，这次想买腮红", ["category: 腮红"]),
    ("shop", "我囤了10片面膜，想要瓶精华", ["category: 精华"]),
    ("shop", "不用推荐口红了，我有两支了", ["not category: 口红"]),
    ("shop", "家里还有两瓶洗发水，不用推荐了", ["not category: 洗发水"]),
    ("films", "我老公爱看战争片，但我想看喜剧", ["genres: 喜剧"]),
    ("films", "最近想看科幻片", ["genres: 科幻"]),
    ("films", "《夜渡》看过了", []),
    ("films", "荒川健二的片子我都看过了", []),
    ("films", "看过的也行", []),
    ("films", "看过的别推", ["new"]),
    # besides, and not only
    ("films", "除了喜剧还想看点悬疑", ["genres: 喜剧 | 悬疑"]),
    ("films", "除了科幻片，再来点悬疑片", ["genres: 悬疑 | 科幻"]),
    ("films", "除了喜剧，爱情片也可以", ["genres: 喜剧 | 爱情"]),
    ("shop", "除了口红，还要一支睫毛膏", ["category: 口红 | 睫毛膏"]),
    ("films", "喜剧之外也要有剧情", ["genres: 剧情 | 喜剧"]),
    ("films", "除了喜剧什么都不看", ["genres: 喜剧"]),
    ("films", "除了恐怖片都行", ["not genres: 恐怖"]),
    ("films", "除了恐怖片，还有什么推荐", ["not genres: 恐怖"]),
    ("films", "别只推荐喜剧", []),
    ("films", "不要全都是喜剧", []),
    ("films", "别光推荐美国片", []),
    ("films", "别老推荐喜剧", []),
    ("films", "不止喜剧", []),
    ("films", "不是只要喜剧", []),
    ("films", "不光要喜剧，还要爱情", ["genres: 喜剧", "genres: 爱情"]),
    ("films", "不仅要喜剧，还要日本的", ["country: 日本", "genres: 喜剧"]),
    ("films", "别再推恐怖片了", ["not genres: 恐怖"]),
    ("films", "不要全是2000年以后的", []),
    # permissions
    ("films", "恐怖片也行", []),
    ("films", "恐怖片我也能接受", []),
    ("films", "就算是恐怖片也行", []),
    ("films", "连恐怖片我都能看", []),
    ("films", "恐怖片可有可无", []),
    ("films", "可以有恐怖元素", []),
    ("films", "可以来点喜剧吗", ["genres: 喜剧"]),
    ("films", "是不是喜剧无所谓", []),
    ("films", "不用非得是日本片", []),
    ("films", "不排斥恐怖片", []),
    ("films", "可以不要喜剧", []),
    ("films", "恐怖不恐怖都可以", []),
    ("films", "管它恐怖不恐怖，好看就行", []),
    ("films", "最好是喜剧，实在不行爱情也可以", []),
    ("films", "喜剧，爱情也行", ["genres: 喜剧 | 爱情"]),
    ("films", "喜剧也好，爱情也好", ["genres: 喜剧 | 爱情"]),
    ("shop", "红色口红，粉色也行", ["category: 口红", "color: 粉色 | 红色"]),
    ("shop", "黑色眼线笔，蓝色的也行", ["category: 眼线笔", "color: 蓝色 | 黑色"]),
    ("shop", "红色口红，没有的话粉色也行", ["category: 口红", "color: 粉色 | 红色"]),
    ("films", "没有喜剧的话就来部剧情片", ["genres: 剧情 | 喜剧"]),
    ("shop", "没有红色就粉色吧", ["color: 粉色 | 红色"]),
    ("shop", "露玛罗的睫毛膏，清见的也行", ["brand: 清见 | 露玛罗", "category: 睫毛膏"]),
    ("films", "法国爱情片，日本的也可以", ["country: 日本 | 法国", "genres: 爱情"]),
    ("shop", "我妈喜欢红色，给她买口红", ["category: 口红"]),
    # comparisons
    ("films", "宁可看喜剧也不看恐怖", ["genres: 喜剧", "not genres: 恐怖"]),
    ("shop", "宁愿买清见的，也不买露玛罗的", ["brand: 清见", "not brand: 露玛罗"]),
    ("films", "比起恐怖片我更想看喜剧", ["genres: 喜剧"]),
    ("films", "跟恐怖片比，我更爱喜剧", ["genres: 喜剧"]),
    ("films", "与其看爱情片不如看悬疑", ["genres: 悬疑"]),
    ("films", "没有什么比科幻片更好看了", []),
    ("films", "喜剧没有剧情片好看", []),
    ("shop", "清见比露玛罗好用", []),
    ("shop", "比露玛罗便宜的口红", ["category: 口红"]),
    ("shop", "求露玛罗口红的平替", []),
    # no other than
    ("films", "喜剧以外的都不要", ["genres: 喜剧"]),
    ("films", "我不想看喜剧以外的片子", ["genres: 喜剧"]),
    ("films", "别给我推喜剧以外的", ["genres: 喜剧"]),
    ("films", "不要推荐除了喜剧以外的电影", ["genres: 喜剧"]),
    ("films", "除了喜剧以外的我都看腻了", ["genres: 喜剧"]),
    ("films", "不恐怖的我不看", ["genres: 恐怖"]),
    ("shop", "不适合敏感肌的别推", ["skin_type: 敏感"]),
    ("films", "我不要没有喜剧的片子", ["genres: 喜剧"]),
    ("films", "没有喜剧活不下去", ["genres: 喜剧"]),
    ("films", "怎么能没有喜剧", ["genres: 喜剧"]),
    # exceptions and conditions
    ("films", "不看恐怖片，除非是日本的", ["exactly 0: genres: 恐怖 & not country: 日本"]),
    ("films", "不看战争片，除非是荒川健二拍的", ["exactly 0: genres: 战争 & not director: 荒川健二"]),
    ("films", "美国的不要，除非是喜剧", ["exactly 0: country: 美国 & not genres: 喜剧"]),
    ("films", "美国片不要，动画片除外", ["exactly 0: country: 美国 & not genres: 动画"]),
    ("shop", "露玛罗的东西不要，睫毛膏除外", ["exactly 0: brand: 露玛罗 & not category: 睫毛膏"]),
    ("films", "除非是喜剧，否则不要恐怖片", []),
    ("films", "如果是恐怖片，就要日本的", []),
    ("films", "如果是恐怖片就不看了", ["not genres: 恐怖"]),
    ("films", "不要恐怖片，除非是1980年以前的", []),
    # once and now
    ("films", "我一般不看恐怖片，但今天想试试", ["genres: 恐怖"]),
    ("films", "平常不看爱情片的，今天例外", ["genres: 爱情"]),
    ("films", "以前不看恐怖片，现在挺爱看", ["genres: 恐怖"]),
    ("films", "以前喜欢恐怖片，现在不喜欢了", ["not genres: 恐怖"]),
    ("films", "之前我只看喜剧，现在想试试剧情", ["genres: 剧情"]),
    ("films", "我是喜剧迷，但是今晚想看恐怖片", ["genres: 恐怖"]),
    # hearsay, brands and what is missing
    ("shop", "听说清见不太好用", []),
    ("shop", "试过清见，不合适", ["not brand: 清见"]),
    ("shop", "我对露玛罗没好感", ["not brand: 露玛罗"]),
    ("shop", "用了三年露玛罗了，想换个牌子", ["not brand: 露玛罗"]),
    ("shop", "口红踩雷露玛罗", ["category: 口红", "not brand: 露玛罗"]),
    ("shop", "没有面霜了", ["category: 面霜"]),
    ("shop", "没有口红用了，求推荐", ["category: 口红"]),
    ("shop", "只缺面膜", ["category: 面膜"]),
    ("shop", "口红我有一堆了", []),
    ("shop", "面霜用完了，再买一瓶", ["category: 面霜"]),
    ("films", "没有喜剧吗", ["genres: 喜剧"]),
    ("films", "为什么没有喜剧", ["genres: 喜剧"]),
    ("films", "想不想看喜剧", ["genres: 喜剧"]),
    ("films", "何不来部喜剧", ["genres: 喜剧"]),
    ("films", "恐怖片？算了", ["not genres: 恐怖"]),
    # less of it, and words that only sound like values
    ("films", "恐怖片少一点", []),
    ("films", "少来点恐怖片", []),
    ("films", "太长的战争片不要", []),
    ("films", "不要无聊的喜剧", []),
    ("shop", "不要有香水味的洗发水", ["category: 洗发水"]),
    ("shop", "最贵的香水", ["category: 香水"]),
    ("shop", "粉红色的口红", ["category: 口红"]),
    ("shop", "红色包装的面霜", ["category: 面霜"]),
    ("films", "我在日本工作，想看点中国片", ["country: 中国"]),
    ("films", "我是美国人，想看中国片", ["country: 中国"]),
    ("films", "我在学日语，推荐点片子", []),
    # firm wishes
    ("films", "想看点喜剧", ["genres: 喜剧"]),
    ("films", "想看点日本的恐怖片", ["country: 日本", "genres: 恐怖"]),
    ("films", "想看点轻松的", []),
]

HANDED_BACK = [
    ("films", "恐怖片也行", "恐怖"),
    ("films", "别只推荐喜剧", "喜剧"),
    ("films", "刚看完恐怖片，想看喜剧", "完恐怖"),
    ("films", "我上周看了两部喜剧，今天来部悬疑", "两部喜剧"),
    ("shop", "比露玛罗便宜的口红", "露玛罗便宜"),
    ("films", "太长的战争片不要", "太长"),
    ("films", "不要无聊的喜剧", "不要无聊"),
    ("shop", "最贵的香水", "最贵的"),
    ("shop", "粉红色的口红", "粉红色"),
    ("films", "《夜渡》看过了别推", "《夜渡》"),
    ("films", "如果是恐怖片，就要日本的", "日本"),
    ("films", "少来点恐怖片", "恐怖"),
]


@pytest.mark.parametrize(("shelf", "text", "expected"), SENTENCES, ids=[text for _, text, _ in SENTENCES])
def test_sentences(shelf, text, expected):
    items = CATALOGS[shelf]
    assert hard(parse(text, items, language="zh"), items) == set(expected)


@pytest.mark.parametrize(("shelf", "text", "words"), HANDED_BACK, ids=[text for _, text, _ in HANDED_BACK])
def test_what_is_no_demand_is_handed_back(shelf, text, words):
    assert words in parse(text, CATALOGS[shelf], language="zh").not_understood


def test_what_was_only_preferred_stays_a_wish():
    assert parse("想看点轻松的", CATALOGS["films"], language="zh").wish == "轻松"
    assert parse("喜剧最好，剧情也可以", CATALOGS["films"], language="zh").wish == "喜剧"


@pytest.mark.parametrize(
    ("shelf", "text"),
    [
        ("shop", "不要红色的口红"),
        ("shop", "红色或粉色的口红不要"),
        ("films", "不看恐怖片，除非是日本的"),
        ("shop", "红色口红，粉色也行"),
    ],
)
def test_descriptions_are_read_back(shelf, text):
    items = CATALOGS[shelf]
    read = parse(text, items, language="zh")
    again = parse(describe(read, "zh", catalog=items), items, language="zh")
    assert (again.limits, again.quotas, again.not_understood) == (read.limits, read.quotas, ())
