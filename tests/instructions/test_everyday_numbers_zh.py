"""Everyday Chinese requests with numbers: what they bound, and what they do not. One line each."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import describe, parse

SENTENCES = [
    # Numbers in several characters.
    ("shop", "一百五十块以内的香水", ["category: 香水", "price <= 150"]),
    ("shop", "一百二十元以下", ["price <= 120"]),
    ("shop", "一千二百块以内", ["price <= 1200"]),
    ("shop", "一百零五块以下", ["price <= 105"]),
    ("shop", "两千五百块", ["price 2500..2500"]),
    ("shop", "1,200元以内", ["price <= 1200"]),
    ("shop", "价格一百五以内", ["price <= 150"]),
    ("shop", "价格不超过一百二", ["price <= 120"]),
    ("shop", "一百二十块五", ["price 120.5..120.5"]),
    ("shop", "1百块以内", ["price <= 100"]),
    ("shop", "百元以下的香水", ["category: 香水", "price <= 100"]),
    # Roughly.
    ("shop", "三四十块的面霜就行", ["category: 面霜", "price 30..40"]),
    ("shop", "三五十块", ["price 30..50"]),
    ("shop", "七八块钱", ["price 7..8"]),
    ("shop", "十五六块", ["price 15..16"]),
    ("shop", "几十块的面霜", ["category: 面霜", "price 20..99.99"]),
    ("shop", "二十几块", ["price 20..29.99"]),
    ("shop", "20多块", ["price 20..29.99"]),
    ("shop", "五十来块的面霜", ["category: 面霜", "price 45..55"]),
    ("shop", "百八十块", ["price 80..100"]),
    ("shop", "一百七八十块的香水", ["category: 香水", "price 170..180"]),
    ("shop", "十几二十块的口红", ["category: 口红", "price 10..20"]),
    ("shop", "十块二十块的口红", ["category: 口红", "price 10..20"]),
    ("shop", "近20块", ["price 18..22"]),
    ("shop", "30块都不到的面霜", ["category: 面霜", "price < 30"]),
    ("shop", "50块下", ["price <= 50"]),
    ("shop", "价格三十多", ["price 30..39.99"]),
    ("shop", "价格2字头", ["price 20..29.99"]),
    ("shop", "价格在三四十块", ["price 30..40"]),
    # What there is to spend.
    ("shop", "我只有50块钱", ["price <= 50"]),
    ("shop", "我有50块钱，买口红", ["category: 口红", "price <= 50"]),
    ("shop", "手里就剩30块了，想买支口红", ["category: 口红", "price <= 30"]),
    ("shop", "100块钱能买到什么口红", ["category: 口红", "price <= 100"]),
    ("shop", "花50块钱买口红", ["category: 口红", "price <= 50"]),
    ("shop", "20块能拿下的口红", ["category: 口红", "price <= 20"]),
    ("shop", "30块就够了", ["price <= 30"]),
    ("shop", "口红我最多出20块", ["category: 口红", "price <= 20"]),
    ("shop", "我不想在口红上花超过20块", ["category: 口红", "price <= 20"]),
    ("shop", "最多花50", ["price <= 50"]),
    ("shop", "至少花30块", ["price >= 30"]),
    ("shop", "预算大概两三百", ["price <= 300"]),
    ("shop", "预算:50", ["price <= 50"]),
    ("shop", "50块有什么香水", ["category: 香水", "price <= 50"]),
    ("shop", "50块以上太贵了", ["price <= 50"]),
    ("shop", "有没有50块的香水", ["category: 香水", "price 50..50"]),
    # Prices of the past, of others, complained of, or of something else; and such as only look like them.
    ("shop", "50块有点贵", []),
    ("shop", "嫌50块贵", []),
    ("shop", "一支50块的口红太贵了", []),
    ("shop", "不想花50块买口红", ["category: 口红"]),
    ("shop", "同事花500块买的香水，我想要便宜的", ["category: 香水"]),
    ("shop", "工资三千块，香水买什么好", ["category: 香水"]),
    ("shop", "满200减50", []),
    ("shop", "运费10块以内", []),
    ("shop", "给同事买瓶50块左右的香水", ["category: 香水", "price 45..55"]),
    ("shop", "50块左右，贵点也行", ["price 45..55"]),
    # Prices for several things.
    ("shop", "100元两支的口红", ["category: 口红"]),
    ("shop", "两支口红一共40", ["category: 口红", "n = 2"]),
    ("shop", "三支口红一共不超过60块", ["category: 口红", "n = 3"]),
    ("shop", "每支20以内的口红来三支", ["category: 口红", "n = 3", "price <= 20"]),
    ("shop", "20块一支的口红", ["category: 口红", "price 20..20"]),
    ("shop", "至少两支50元以下的", ["at least 2: price <= 50"]),
    # What counts people, kinds or ranks, and what counts things of several kinds.
    ("shop", "给三个闺蜜每人送一支口红", ["category: 口红"]),
    ("shop", "给两个同事买护手霜", ["category: 护手霜"]),
    ("shop", "两位数的香水", ["category: 香水"]),
    ("films", "一家四口看的动画", ["genres: 动画"]),
    ("shop", "评分前三的口红", ["category: 口红", "n = 3"]),
    ("shop", "价格最低的三支口红", ["category: 口红", "n = 3"]),
    ("films", "每种类型来一部", []),
    ("shop", "不用推荐口红了，我有两支了", ["not category: 口红"]),
    (
        "films",
        "三部喜剧片一部恐怖片，评分都4以上",
        ["at least 1: genres: 恐怖", "at least 3: genres: 喜剧", "n = 4", "rating >= 4"],
    ),
    ("films", "来三部片子，一部喜剧两部悬疑", ["at least 1: genres: 喜剧", "at least 2: genres: 悬疑", "n = 3"]),
    (
        "shop",
        "两支红色口红一支粉色口红",
        ["at least 1: category: 口红 & color: 粉色", "at least 2: category: 口红 & color: 红色", "n = 3"],
    ),
    ("films", "五部片子，导演别重复", ["n = 5"]),
    ("films", "给我三个喜剧", ["genres: 喜剧", "n = 3"]),
    # Things that each have a range.
    ("shop", "口红20块以内，面霜30块以内", ["category: 口红 | 面霜", "exactly 0: category: 口红 & price > 20", "price <= 30"]),
    (
        "shop",
        "口红要20块以内的，面霜30块以内就行",
        ["category: 口红 | 面霜", "exactly 0: category: 口红 & price > 20", "price <= 30"],
    ),
    (
        "films",
        "90年代的喜剧，80年代的恐怖片",
        [
            "exactly 0: genres: 喜剧 & year <= 1989",
            "exactly 0: genres: 恐怖 & year >= 1990",
            "genres: 喜剧 | 恐怖",
            "year 1980..1999",
        ],
    ),
    ("shop", "口红20块以内，评分4以上", ["category: 口红", "price <= 20", "rating >= 4"]),
    # Numbers without a unit.
    ("shop", "20以内的口红", ["category: 口红", "price <= 20"]),
    ("shop", "30-50的面霜", ["category: 面霜", "price 30..50"]),
    ("shop", "30到50之间的精华", ["category: 精华", "price 30..50"]),
    ("shop", "不能超过20", ["price <= 20"]),
    ("shop", "预算不到20", ["price < 20"]),
    ("shop", "20+", ["price >= 20"]),
    ("shop", "评分4以上20以内", ["price <= 20", "rating >= 4"]),
    ("shop", "4以上的面霜", ["category: 面霜"]),
    ("shop", "28岁以上", []),
    ("shop", "SPF50以上的防晒霜", ["category: 防晒霜"]),
    ("shop", "25以上的皮肤", []),
    ("shop", "最好50块以内", ["price <= 50"]),
    ("shop", "希望在50块以内", ["price <= 50"]),
    # Lengths of time.
    ("films", "90分钟以内", ["runtime <= 90"]),
    ("films", "一个半小时以内的喜剧", ["genres: 喜剧", "runtime <= 90"]),
    ("films", "两小时以内的科幻片", ["genres: 科幻", "runtime <= 120"]),
    ("films", "1小时30分钟以内", ["runtime <= 90"]),
    ("films", "不超过一小时四十分", ["runtime <= 100"]),
    ("films", "片长在90到120分钟之间", ["runtime 90..120"]),
    ("films", "120分钟以上的", ["runtime >= 120"]),
    ("films", "超过两小时的不要", ["runtime <= 120"]),
    ("films", "两小时以上太长了", ["runtime <= 120"]),
    ("films", "最长两个小时", ["runtime <= 120"]),
    ("films", "我只有90分钟", ["runtime <= 90"]),
    ("films", "两小时内看完的", ["runtime <= 120"]),
    ("films", "90分钟的喜剧", ["genres: 喜剧", "runtime 81..99"]),
    ("films", "三个小时的飞机", []),
    ("films", "坐飞机两小时，推荐喜剧", ["genres: 喜剧"]),
    ("films", "24小时", []),
    ("shop", "90分钟以内的口红", ["category: 口红"]),
    # Years of a life, decades, ratings of another scale.
    ("films", "我2010年在法国留学，想看法国片", ["country: 法国"]),
    ("films", "2024年了还有什么科幻片值得看", ["genres: 科幻"]),
    ("films", "今年是2024年", []),
    ("films", "1999年的恐怖片，那年我刚上大学", ["genres: 恐怖", "year 1999..1999"]),
    ("films", "80年代末90年代初的科幻片", ["genres: 科幻", "year 1985..1994"]),
    ("films", "70、80年代的", ["year 1970..1989"]),
    ("films", "七十、八十年代", ["year 1970..1989"]),
    ("films", "九几年的", ["year 1990..1999"]),
    ("films", "豆瓣8分以上", []),
    ("films", "评分4.5以上", ["rating >= 4.5"]),
]
HANDED_BACK = [
    ("shop", "50块有点贵", "50块有点贵"),
    ("shop", "工资三千块，香水买什么好", "工资三千块"),
    ("shop", "100元两支的口红", "100元两支"),
    ("shop", "两支口红总共50块以内", "50块以内"),
    ("shop", "给两个同事买护手霜", "两个同事"),
    ("shop", "90分钟以内的口红", "90分钟"),
    ("films", "100块以内的喜剧", "100块"),
    ("films", "看了三个小时的战争片", "三个小时"),
    ("films", "豆瓣8分以上", "豆瓣8分以上"),
    ("films", "五部片子，导演别重复", "导演别重复"),
    ("films", "十几部喜剧", "十几"),
]
SHOP, FILMS = (SHELVES[name]("zh") for name in ("shop", "films"))


@pytest.mark.parametrize(("shelf", "text", "expected"), SENTENCES, ids=[text for _, text, _ in SENTENCES])
def test_sentences(shelf, text, expected):
    items = SHOP if shelf == "shop" else FILMS
    assert hard(parse(text, items, language="zh"), items) == set(expected)


@pytest.mark.parametrize(("shelf", "text", "words"), HANDED_BACK, ids=[text for _, text, _ in HANDED_BACK])
def test_what_is_no_demand_is_handed_back(shelf, text, words):
    assert words in parse(text, SHOP if shelf == "shop" else FILMS, language="zh").not_understood


@pytest.mark.parametrize("text", ["口红20块以内，面霜30块以内", "口红20到30块，面霜40块左右", "二十多块的口红"])
def test_descriptions_are_read_back(text):
    read = parse(text, SHOP, language="zh")
    again = parse(describe(read, "zh", catalog=SHOP), SHOP, language="zh")
    assert (again.limits, again.quotas, again.not_understood) == (read.limits, read.quotas, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("打分控制在4以内", {"rating <= 4"}),
        ("麻烦推荐一些片长控制在105以内（含）", {"runtime <= 105"}),
        ("评分最高4以内", {"rating <= 4"}),
        ("至多两部冒险，行不行？", {"at most 2: genres: 冒险"}),
        ("麻烦帮我推荐一下，恰好两部冒险", {"exactly 2: genres: 冒险"}),
        ("犯罪最多出现一个，没有也行吧", {"at most 1: genres: 犯罪"}),
        ("可以有喜剧，上限是一部", {"at most 1: genres: 喜剧"}),
        ("最好是喜剧，没有也行", set()),
        ("评分前三的喜剧", {"genres: 喜剧", "n = 3"}),
        ("美国、法国两者有其一即可，都没有的不要", {"country: 法国 | 美国"}),
        ("犯罪、恐怖，有一样就行，一样都没有就算了", {"genres: 恐怖 | 犯罪"}),
        ("1990年都没有的片子", {"year >= 1991"}),
        ("大家都说好的剧情", {"genres: 剧情"}),
        ("大家都说恐怖片好看，我不想看", set()),
    ],
)
def test_numbers_behind_measures_and_bounds_on_both_sides(text, expected):
    assert hard(parse(text, FILMS, language="zh"), FILMS) == expected
