"""More ways to say it, sentence by sentence: shares, spans, corrections, wrong letters, what is said behind. One line each."""

import numpy as np
import pytest
from tests.instructions.worlds import films, goods, hard, zh_films, zh_goods

from instructrec.instructions import parse
from instructrec.tables import Catalog, Labels

FILM_WORDS = [
    ("50% comedies", ["at least 5: genre: Comedy"]),
    ("50 percent dramas, 8 films", ["at least 4: genre: Drama", "n = 8"]),
    ("at least 30% comedies", ["at least 3: genre: Comedy"]),
    ("at most 20% horror", ["at most 2: genre: Horror"]),
    ("a quarter should be westerns, 8 films", ["at least 2: genre: Western", "n = 8"]),
    ("75% comedies, 25% dramas, 8 films", ["at least 6: genre: Comedy", "at least 2: genre: Drama", "n = 8"]),
    ("max 5", ["n = 5"]),
    ("5 max", ["n = 5"]),
    ("5 tops", ["n = 5"]),
    ("no more than 5", ["n = 5"]),
    ("max 5 films", ["n = 5"]),
    ("comedies: 3, dramas: 2", ["at least 3: genre: Comedy", "at least 2: genre: Drama", "n = 5"]),
    ("dramas: 4; comedies: 2", ["at least 4: genre: Drama", "at least 2: genre: Comedy", "n = 6"]),
    ("five or six films", ["n = 6"]),
    ("8-10 films", ["n = 10"]),
    ("two to four comedies", ["n = 4", "genre: Comedy"]),
    ("ten films, 3 I haven't seen", ["n = 10"]),
    ("ten films, three of them new to me", ["n = 10"]),
    ("ten films, at least 2 that I've seen", ["n = 10"]),
    ("ten films I haven't seen", ["n = 10", "new"]),
    ("1990s comedies and 1980s dramas", []),
    ("comedies from the 90s or dramas from the 80s", []),
    ("a 70s western and a 90s comedy", []),
    ("around 1990", ["year 1988..1992"]),
    ("about ten films", ["n = 10"]),
    ("no romantic comedies", ["exactly 0: genre: Comedy & genre: Romance"]),
    ("I'm not that keen on westerns, give me 5", ["n = 5", "not genre: Western"]),
    ("not really into horror", ["not genre: Horror"]),
    ("I don't care for musicals", ["not genre: Musical"]),
    ("can do without war", ["not genre: War"]),
    ("I'm not really in the mood for horror", ["not genre: Horror"]),
    ("we've had enough horror; a comedy please", ["not genre: Horror", "genre: Comedy"]),
    ("comedies or musicals by Mara Velt", ["genre: Comedy | Musical", "director: Mara Velt"]),
    ("a comedy or a drama by Mara Velt", ["genre: Comedy | Drama", "director: Mara Velt"]),
    ("no horror, and rated at least 4", ["not genre: Horror", "rating >= 4"]),
    ("no horror, at least 4 stars and from the 90s", ["not genre: Horror", "rating >= 4", "year 1990..1999"]),
    ("without romance and from the 80s", ["not genre: Romance", "year 1980..1989"]),
    ("neither horror nor war, and nothing before 1980", ["not genre: Horror | War", "year >= 1980"]),
    ("nothing by Mara Velt, and unseen", ["not director: Mara Velt", "new"]),
    ("no horror or anything from before 1980", ["not genre: Horror", "year >= 1980"]),
    ("from 1990 to today", ["year >= 1990"]),
    ("from 1990 until now", ["year >= 1990"]),
    ("90s to present", ["year >= 1990"]),
    ("comedies with a rating higher than Monsoon", ["genre: Comedy", "rating > 4.1"]),
    ("rating no lower than that of Monsoon", ["rating >= 4.1"]),
    ("not as popular as Last Radio", ["popularity < 0.25"]),
    ("wihtout horror", ["not genre: Horror"]),
    ("dramas excpet romance", ["genre: Drama", "not genre: Romance"]),
    ("I have seen a lot of horror lately, so no horror", ["not genre: Horror"]),
    ("I've had a long day and want a comedy", ["genre: Comedy"]),
    ("comedy or drama, either is fine, from the 80s", ["genre: Comedy | Drama", "year 1980..1989"]),
    ("comedy, drama, any of those", ["genre: Comedy | Drama"]),
    ("western or war, whichever", ["genre: War | Western"]),
    ("a comedy, and if possible with a war feel", ["genre: Comedy"]),
    ("if possible a western, no horror", ["not genre: Horror"]),
    ("under 5 dollars", []),
    ("4 comedies under $5", ["n = 4", "genre: Comedy"]),
    ("rating over 3, but under 4", ["rating 3..4"]),
    ("popularity not above 0.5, but not below 0.2", ["popularity 0.2..0.5"]),
    ("horror, war and crime are out", ["not genre: Crime | Horror | War"]),
    ("a comedy, horror and war excluded", ["genre: Comedy", "not genre: Horror | War"]),
    ("any genre but horror", ["not genre: Horror"]),
    ("any drama but war", ["genre: Drama", "not genre: War"]),
    ("from the 80s, or rather the 90s", ["year 1990..1999"]),
    ("before 1960 or after 2010", []),
    ("exactly two westerns among ten items", ["exactly 2: genre: Western", "n = 10"]),
]  # fmt: skip
GOODS_WORDS = [
    ("around 20 dollars", ["price 18..22"]),
    ("about $50", ["price 45..55"]),
    ("a lamp for roughly 60 euros", ["category: Lamp", "price 54..66"]),
    ("a lamp, Norda or Velmo", ["category: Lamp", "brand: Norda | Velmo"]),
    ("a Norda or Velmo lamp", ["category: Lamp", "brand: Norda | Velmo"]),
    ("lamps by Norda, Velmo or Osterby", ["category: Lamp", "brand: Norda | Osterby | Velmo"]),
    ("budget of 20 to 40 dollars", ["price 20..40"]),
    ("not cheaper than 10, not above 30 dollars", ["price 10..30"]),
    ("under 20 dollars, or rather, over 50 dollars", ["price > 50"]),
    ("not as expensive as Moonlight", ["price < 59"]),
    ("any brand but Norda", ["not brand: Norda"]),
]  # fmt: skip
ZH_FILM_WORDS = [
    ("想看喜剧片，恐怖片就算了", ["类型: 喜剧片", "not 类型: 恐怖片"]),
    ("战争片我不太喜欢，别的都行", ["not 类型: 战争片"]),
    ("不怎么爱看歌舞片", ["not 类型: 歌舞片"]),
    ("恐怖片绝对不要", ["not 类型: 恐怖片"]),
    ("林舟的一律别给我", ["not 导演: 林舟"]),
    ("别推荐恐怖片，也别推1980年以前的", ["not 类型: 恐怖片", "年份 >= 1980"]),
    ("不准有战争片，不许有恐怖片", ["not 类型: 恐怖片 | 战争片"]),
    ("请避开歌舞片", ["not 类型: 歌舞片"]),
    ("爱情片我没兴趣", ["not 类型: 爱情片"]),
    ("恐怖片看腻了，来点喜剧片", ["not 类型: 恐怖片", "类型: 喜剧片"]),
    ("恐怖片、惊悚片、战争片都不要", ["not 类型: 恐怖片 | 惊悚片 | 战争片"]),
    ("喜剧片，恐怖片不要", ["类型: 喜剧片", "not 类型: 恐怖片"]),
    ("我看过的就别再推荐了", ["new"]),
    ("已经有的就不要再给我看了", ["new"]),
    ("看过的都别列", ["new"]),
    ("评分比《季风》还高的", ["评分 > 8.1"]),
    ("热度不比《季风》低", ["热度 >= 0.42"]),
    ("没有《季风》热门的", ["热度 < 0.42"]),
    ("不如《季风》受欢迎的剧情片", ["类型: 剧情片", "热度 < 0.42"]),
    ("评分得高过《季风》", ["评分 > 8.1"]),
    ("从1990年至今的纪录片", ["类型: 纪录片", "年份 >= 1990"]),
    ("1995年到现在", ["年份 >= 1995"]),
    ("1980年左右的西部片", ["类型: 西部片", "年份 1978..1982"]),
    ("百分之三十是喜剧片", ["at least 3: 类型: 喜剧片"]),
    ("三成是纪录片，共十部", ["at least 3: 类型: 纪录片", "n = 10"]),
    ("50%剧情片，8部", ["at least 4: 类型: 剧情片", "n = 8"]),
    ("喜剧片：3部，剧情片：2部", ["at least 3: 类型: 喜剧片", "at least 2: 类型: 剧情片", "n = 5"]),
    ("五六部喜剧片", ["n = 6", "类型: 喜剧片"]),
    ("五部或六部", ["n = 6"]),
    ("十部，其中三部我没看过", ["n = 10"]),
    (
        "九十年代的喜剧片和八十年代的剧情片",
        [
            "类型: 剧情片 | 喜剧片",
            "年份 1980..1999",
            "exactly 0: 年份 <= 1989 & 类型: 喜剧片",
            "exactly 0: 年份 >= 1990 & 类型: 剧情片",
        ],
    ),
    ("非常好看的喜剧片", ["类型: 喜剧片"]),
    ("不错的战争片", ["类型: 战争片"]),
    ("不是恐怖片就是惊悚片", ["类型: 恐怖片 | 惊悚片"]),
    ("要么喜剧片要么爱情片，评分8分以上", ["类型: 喜剧片 | 爱情片", "评分 >= 8"]),
    ("喜剧片、爱情片都行，不要恐怖片", ["类型: 喜剧片 | 爱情片", "not 类型: 恐怖片"]),
    ("西部片，战争片也可以", ["类型: 战争片 | 西部片"]),
    ("喜剧片或爱情片，任选其一", ["类型: 喜剧片 | 爱情片"]),
    ("不恐怖的喜剧片", ["类型: 喜剧片", "not 类型: 恐怖片"]),
    ("没有爱情的剧情片", ["类型: 剧情片", "not 类型: 爱情片"]),
    ("不要太恐怖的喜剧片", ["类型: 喜剧片"]),
    ("喜居片", ["类型: 喜剧片"]),
    ("科换片三部", ["类型: 科幻片", "n = 3"]),
    ("评份高于8", ["评分 > 8"]),
    ("一供八部", ["n = 8"]),
    ("以经看过的", ["known"]),
    ("周末片单六部", ["n = 6"]),
    ("恐怖片我可看不了", ["not 类型: 恐怖片"]),
    ("能不能别总推荐爱情片", []),
    ("八九十年代的喜剧片", ["类型: 喜剧片", "年份 1980..1999"]),
    ("2000年后的", ["年份 >= 2000"]),
    ("1950年前后", ["年份 1948..1952"]),
    ("除了恐怖片以外的惊悚片", ["类型: 惊悚片", "not 类型: 恐怖片"]),
    ("从喜剧片、爱情片里选", ["类型: 喜剧片 | 爱情片"]),
    ("我看过很多恐怖片，想换换口味", []),
    ("不要林舟，其它导演的喜剧片", ["not 导演: 林舟", "类型: 喜剧片"]),
]  # fmt: skip
ZH_GOODS_WORDS = [
    ("20块左右的台灯", ["类别: 台灯", "价格 18..22"]),
    ("诺达或维莫的台灯", ["品牌: 维莫 | 诺达", "类别: 台灯"]),
    ("台灯，诺达、维莫任选其一", ["类别: 台灯", "品牌: 维莫 | 诺达"]),
    ("预算50到80", ["价格 50..80"]),
    ("价格别低于30，也别高于70", ["价格 30..70"]),
    ("10元到20元之间", ["价格 10..20"]),
    ("台灯两盏，帐篷一顶", ["n = 3", "at least 2: 类别: 台灯", "at least 1: 类别: 帐篷"]),
    ("没《月光》那么贵的台灯", ["类别: 台灯", "价格 < 159"]),
    ("价格比《月光》便宜", ["价格 < 159"]),
    ("买过的别来了", ["new"]),
]  # fmt: skip

WORLDS = {"films": (films(), "en"), "goods": (goods(), "en"), "zh_films": (zh_films(), "zh"), "zh_goods": (zh_goods(), "zh")}
SENTENCES = [
    (world, text, expected)
    for world, sentences in (
        ("films", FILM_WORDS),
        ("goods", GOODS_WORDS),
        ("zh_films", ZH_FILM_WORDS),
        ("zh_goods", ZH_GOODS_WORDS),
    )
    for text, expected in sentences
]


@pytest.mark.parametrize(("world", "text", "expected"), SENTENCES, ids=[text for _, text, _ in SENTENCES])
def test_sentences(world, text, expected):
    items, language = WORLDS[world]
    assert hard(parse(text, items, language=language), items) == set(expected)


@pytest.mark.parametrize(
    ("world", "text", "wish", "left"),
    [
        ("films", "1990s comedies and 1980s dramas", "1990s comedies and 1980s dramas", ()),
        ("films", "ten films, 3 I haven't seen", "", ("3 I haven't seen",)),
        ("films", "no cheesy romance", "", ("no cheesy romance",)),
        ("films", "something soothing", "soothing", ()),
        ("films", "very zorgly comedies", "zorgly comedies", ()),
        ("films", "a comedy, nothing older than 1990, ideally gentle", "gentle", ()),
        ("zh_films", "别太恐怖、别太血腥的喜剧片", "", ("别太恐怖", "别太血腥")),
        ("zh_films", "想大哭一场", "大哭", ()),
        ("zh_films", "比《季风》更阴森", "《季风》更阴森", ()),
    ],
)
def test_what_no_demand_can_hold_is_wished_for_or_handed_back(world, text, wish, left):
    items, language = WORLDS[world]
    found = parse(text, items, language=language)
    assert (found.wish, found.not_understood) == (wish, left)


def test_values_and_titles_written_in_html_are_found_by_their_plain_text():
    items = Catalog(
        item_ids=("a", "b"),
        titles=("Salt &amp; Pepper", "Night"),
        labels={"brand": Labels.build([["Africa&#39;s Best"], ["Head &amp; Hand"]])},
        numbers={"price": np.array([3.0, 4.0])},
    )
    assert hard(parse("africa's best under 5 dollars", items), items) == {"brand: Africa&#39;s Best", "price <= 4"}
    assert hard(parse("no Head & Hand", items), items) == {"not brand: Head &amp; Hand"}
    assert parse("like Salt & Pepper", items).like == ("a",)
