"""Two invented catalogs in two languages, and the hard part of an instruction as short strings ("at least 3: genre: Comedy")."""

import math

import numpy as np

from instructrec.tables import Catalog, Labels

FILMS = [
    ("The Paper Lantern", ["Comedy", "Romance"], "Mara Velt", 1984, 3.9, 0.61, 98),
    ("Glass Harbour", ["Drama", "Crime"], "Iven Sorrel", 1997, 4.4, 0.83, 131),
    ("Monsoon", ["Drama"], "Mara Velt", 2006, 4.1, 0.42, 120),
    ("Night Ferry to Oslo", ["Thriller", "Mystery"], "Odo Brandt", 1978, 3.4, 0.20, 104),
    ("A Quiet Orchard", ["Romance", "Drama"], "Lise Amsel", 1991, 3.7, 0.35, 110),
    ("Iron Sparrow", ["Sci-Fi", "Action"], "Odo Brandt", 2012, 3.1, 0.91, 140),
    ("Dust and Saddles", ["Western"], "Iven Sorrel", 1969, 3.8, 0.31, 95),
    ("The Cellar Door", ["Horror", "Thriller"], "Odo Brandt", 1986, 2.9, 0.55, 88),
    ("Sing Me Home", ["Musical", "Comedy"], "Lise Amsel", 2001, 3.5, 0.66, 115),
    ("Tin Parade", ["Animation", "Children's"], "Mara Velt", 1995, 4.6, 0.77, 81),
    ("Last Radio", ["War", "Drama"], "Lise Amsel", 1973, 4.0, 0.25, 126),
    ("Field Notes", ["Documentary"], "Iven Sorrel", 2015, 4.2, 0.12, 92),
]
GOODS = [
    ("Norda Ridge 2", ["Tent"], "Norda", 189.0, 4.5),
    ("Norda Breeze", ["Backpack"], "Norda", 79.5, 4.1),
    ("Velmo Glow", ["Lamp", "Garden"], "Velmo", 24.9, 3.8),
    ("Velmo Pour", ["Kettle", "Kitchen"], "Velmo", 35.0, 4.7),
    ("Keen Edge Six", ["Knife", "Kitchen"], "Osterby", 18.0, 4.2),
    ("Trail Cup", ["Mug", "Kitchen"], "Osterby", 9.95, 3.2),
    ("Campfire Chair", ["Chair", "Garden"], "Osterby", 49.0, 3.9),
    ("Moonlight", ["Lamp"], "Norda", 59.0, 4.0),
]
ZH_FILMS = [
    ("长夜渡口", ["剧情片", "犯罪片"], "林舟", 1997, 8.4, 0.83),
    ("纸灯笼", ["喜剧片", "爱情片"], "苏漫", 1984, 7.9, 0.61),
    ("季风", ["剧情片"], "苏漫", 2006, 8.1, 0.42),
    ("铁雀", ["科幻片", "动作片"], "欧渡", 2012, 6.1, 0.91),
    ("地下室的门", ["恐怖片", "惊悚片"], "欧渡", 1986, 5.9, 0.55),
    ("唱我回家", ["歌舞片", "喜剧片"], "林舟", 2001, 7.5, 0.66),
    ("田野笔记", ["纪录片"], "林舟", 2015, 8.2, 0.12),
    ("马鞍与尘土", ["西部片"], "苏漫", 1969, 7.8, 0.31),
    ("最后的电台", ["战争片", "剧情片"], "欧渡", 1973, 8.0, 0.25),
    ("铁皮游行", ["动画片"], "苏漫", 1995, 9.0, 0.77),
]
ZH_GOODS = [
    ("山脊二号", ["帐篷"], "诺达", 899.0, 4.5),
    ("微风", ["背包"], "诺达", 379.5, 4.1),
    ("萤光", ["台灯", "园艺"], "维莫", 124.9, 3.8),
    ("倾流", ["水壶", "厨房"], "维莫", 135.0, 4.7),
    ("六刃", ["刀具", "厨房"], "奥斯", 88.0, 4.2),
    ("步道杯", ["杯子", "厨房"], "奥斯", 39.95, 3.2),
    ("营火椅", ["椅子", "园艺"], "奥斯", 249.0, 3.9),
    ("月光", ["台灯"], "诺达", 159.0, 4.0),
]


def catalog(rows, labels, numbers):
    """A catalog of rows of a title, then lists and single values of the `labels`, then `numbers`."""
    columns = list(zip(*rows, strict=True))
    width = len(labels)
    return Catalog(
        item_ids=tuple(f"i{place}" for place in range(len(rows))),
        titles=tuple(columns[0]),
        labels={
            name: Labels.build([value if isinstance(value, list) else [value] for value in columns[1 + place]])
            for place, name in enumerate(labels)
        },
        numbers={name: np.array(columns[1 + width + place], dtype=np.float64) for place, name in enumerate(numbers)},
    )


def films():
    return catalog(FILMS, ("genre", "director"), ("year", "rating", "popularity", "runtime"))


def goods():
    return catalog(GOODS, ("category", "brand"), ("price", "rating"))


def zh_films():
    return catalog(ZH_FILMS, ("类型", "导演"), ("年份", "评分", "热度"))


def zh_goods():
    return catalog(ZH_GOODS, ("类别", "品牌"), ("价格", "评分"))


def hard(found, items):
    """The hard part of an instruction as a set of short strings."""
    out = {condition(limit) for limit in found.limits}
    for quota in found.quotas:
        what = " & ".join(sorted(condition(limit) for limit in quota.limits))
        if quota.at_least == quota.at_most:
            out.add(f"exactly {quota.at_least}: {what}")
            continue
        out |= {f"at least {quota.at_least}: {what}"} if quota.at_least else set()
        out |= {f"at most {quota.at_most}: {what}"} if quota.at_most is not None else set()
    title = dict(zip(items.item_ids, items.titles, strict=True))
    out |= {f"like: {title[item]}" for item in found.like} | {f"unlike: {title[item]}" for item in found.unlike}
    out |= {f"n = {found.n}"} if found.n is not None else set()
    return out | ({found.seen} if found.seen else set())


def condition(limit):
    """A limit as a short string: "genre: A | B", "not genre: A", "year 1990..1999", "price < 20"."""
    if limit.operator != "range":
        return f"{'not ' if limit.operator == 'exclude' else ''}{limit.attribute}: {' | '.join(sorted(limit.values))}"
    low, high = _short(limit.low), _short(limit.high)
    if low is not None and high is not None:
        return f"{limit.attribute} {low[1]}..{high[1]}"
    if low is not None:
        return f"{limit.attribute} {'>' if low[0] else '>='} {low[1]}"
    return f"{limit.attribute} {'<' if high[0] else '<='} {high[1]}"


def _short(bound):
    """Whether a bound is strict, and the short number it is or lies beside."""
    if bound is None:
        return None
    near = [(False, bound), (True, math.nextafter(bound, math.inf)), (True, math.nextafter(bound, -math.inf))]
    strict, value = min(near, key=lambda entry: len(repr(entry[1])))
    return strict, f"{value:g}"
