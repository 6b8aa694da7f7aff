"""Two invented catalogs, a film shelf and a shop shelf, in English and Chinese, and the same catalogs with every label renamed.

Traps on purpose: titles that hold function words, numbers or genre words, a title that holds another title, a title twice, words
that are ordinary words elsewhere ("Clear", "Dry"), a number that is unknown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from instructrec.tables import Catalog, Labels

# English title, Chinese title, year, rating, popularity, runtime, genres, director, country, language
FILMS = """
The Long Harvest|漫长的收割|1974|4.1|0.35|128|Drama,Western|Harold Pine|USA|English
The Long Harvest|漫长的收割|2011|3.6|0.22|104|Drama|Mira Okafor|Nigeria|English
Static|静电|1983|3.9|0.71|96|Horror,Sci-Fi|Harold Pine|USA|English
No Love for Sundays|星期天没有爱情|1998|3.4|0.48|101|Comedy,Romance|Claire Moreau|France|French
Nothing Like Rain|没有什么像雨|2004|4.3|0.4|117|Drama,Romance|Teresa Vidal|Spain|Spanish
Western Union Blues|西部电报蓝调|1956|4.0|0.26|92|Crime,Film-Noir|Harold Pine|USA|English
The Musical Chairs Murders|抢椅子谋杀案|1962|3.5|0.31|108|Comedy,Mystery||USA|English
Seven Lanterns|七盏灯笼|1959|4.6|0.52|162|Drama,War|Kenji Arakawa|Japan|Japanese
12 Doors Down|隔壁第12扇门|1989|3.8|0.29|99|Thriller,Mystery|Jonas Lindqvist|Sweden|Swedish
Platform 9 at Midnight|午夜9号站台|2016|3.3|0.67|111|Thriller,Crime|Claire Moreau|France|French
Orbit 2099|轨道2099|1979|3.7|0.63|124|Sci-Fi,Adventure||USA|English
Before the Thaw|解冻之前|1991|4.0|0.18|133|Drama,War|Jonas Lindqvist|Sweden|Swedish
Fox and Feather|狐狸与羽毛|1993|4.2|0.77|84|Animation,Children's,Adventure||USA|English
Not Another Western|不是又一部西部片|2002|2.9|0.55|95|Comedy,Western||USA|English
Bollard Street|石墩街|1948|4.2|0.24|88|Film-Noir,Crime||USA|English
Monsoon Brass Band|雨季铜管乐队|2008|4.4|0.66|151|Musical,Comedy,Romance|Dev Malhotra|India|Hindi
Ghost Ledger|幽灵账本|2013|3.7|0.58|106|Horror,Mystery|Lin Guowei|China|Mandarin
Paper Cranes, Iron Birds|纸鹤与铁鸟|1987|4.7|0.61|119|War,Animation,Drama|Kenji Arakawa|Japan|Japanese
Only the Tall Ones|只有高个子|1970|3.6|0.21|112|Western|Harold Pine|USA,Spain|English
The Baker's Alibi|面包师的不在场证明|1995|3.8|0.43|97|Comedy,Crime|Claire Moreau|France|French
Brine|盐水|2018|4.1|0.12|78|Documentary|Mira Okafor|Nigeria|English
A Few Good Beekeepers|几个好养蜂人|2001|3.9|0.16|82|Documentary,Comedy||USA|English
Dragon of the North Sea|北海之龙|1985|3.5|0.57|115|Fantasy,Adventure|Jonas Lindqvist|Sweden|Swedish
Kites over Kochi|科钦的风筝|1997|4.3|0.38|121|Drama,Children's|Dev Malhotra|India|Hindi
At Least Three Winters|至少三个冬天|1966|4.0|0.19|140|Drama,Romance||Sweden|Swedish
Harbour of Knives|刀港|1978|3.6|0.49|103|Action,Crime|Lin Guowei|China|Mandarin
The Violet Hour Train|紫色时刻的列车|1953|4.1|0.23|94|Romance,Film-Noir||France|French
Dead Signal|死寂信号|1999|3.2|0.64|91|Horror,Thriller||USA|English
Robots Don't Knit|机器人不织毛衣|2015|4.0|0.74|89|Animation,Comedy,Sci-Fi||USA|English
Comedy of Bones|白骨喜剧|1994|3.1|0.33|93|Horror|Teresa Vidal|Spain|Spanish
Sierra Quartet|山脊四重奏|1984|3.8|0.2|126|Musical,Drama|Teresa Vidal|Spain|Spanish
War Is a Small Room|战争是一间小屋|1971|4.4|0.14|86|War,Documentary||Sweden|Swedish
The Last Projectionist|最后的放映员|2006|4.2|0.27|109|Drama||India|Hindi
The Last|最后|1982|3.4|0.3|100|Sci-Fi,Drama||USA|English
Cactus Law|仙人掌法则|1994|3.5|0.36|98|Western,Comedy||USA|English
Fifteen Minutes to Lagos|十五分钟到拉各斯|2019|3.9|0.7|107|Action,Thriller|Mira Okafor|Nigeria|English
The Mapmaker's Daughter|制图师的女儿|1990|3.7|0.45|118|Fantasy,Romance||USA|English
Night Ferry|夜渡|1980|4.5|0.41|113|Mystery,Thriller|Kenji Arakawa|Japan|Japanese
Under the Orange Sea|橙色海底|2010|4.1|0.25|90|Documentary,Adventure||Spain|Spanish
Lullaby for a Getaway Car|逃亡车摇篮曲|2020|3.8|0.6|116|Crime,Musical|Claire Moreau|France|French
Ivory Telephone|象牙电话||3.0|0.1|87|Comedy|||English
"""

# English title, Chinese title, price, rating, popularity, category, brand, color, skin type
SHOP = """
Velvet Hour Lip Color|丝绒时刻唇膏|18.5|4.4|0.81|Lipstick|Lumaro|Red|
Bare Minimum|极简主义|9.95|3.8|0.44|Lipstick|Bare Harbor|Nude|
Coral Reef Kiss|珊瑚礁之吻|12.0|4.1|0.52|Lipstick|Petal Room|Coral,Pink|
Midnight Plum Stick|午夜梅子|24.0|4.0|0.3|Lipstick|Verdelle|Plum|
Glacier Drops|冰川水滴|42.0|4.7|0.77|Serum|Northpine||Dry,Sensitive
Under the Sun 50|阳光之下50|16.75|4.3|0.69|Sunscreen|Saltwick||Sensitive,Dry
No Shine Today|今日无油光|21.3|4.2|0.58|Moisturizer|Kiyomi||Oily,Combination
Daily Rinse|每日清晨|8.4|3.9|0.63|Cleanser|Kiyomi||Oily
Soft Start|温柔开始|11.2|4.5|0.49|Cleanser|Northpine||Sensitive
Raven Lash|乌鸦之羽|14.99|4.0|0.71|Mascara|Lumaro|Black|
Lash of Luxury|奢华一刷|33.0|3.6|0.25|Mascara|Verdelle|Black,Blue|
Oat and Honey Balm|燕麦与蜂蜜|7.25|4.6|0.55|Hand Cream|Bare Harbor||Dry
Winter Hands|冬天的手|9.1|4.3|0.6|Hand Cream|Northpine||Dry,Sensitive
Cherry Varnish No. 7|樱桃7号|6.5|3.9|0.41|Nail Polish|Petal Room|Red|
Lagoon|潟湖|6.5|3.7|0.28|Nail Polish|Petal Room|Blue|
Glass Top Coat|玻璃外衣|5.8|4.2|0.39|Nail Polish|Lumaro|Clear|
Smoke and Cedar|烟与雪松|68.0|4.5|0.47|Perfume|Verdelle||
First Rain|初雨|54.0|4.1|0.36|Perfume|Saltwick||
First Rain|初雨|13.6|4.0|0.33|Shampoo|Saltwick||
Salt and Seaweed|海盐与海藻|12.8|4.2|0.5|Shampoo|Saltwick||
Pine Tar Wash|松林|10.4|3.5|0.22|Shampoo|Northpine||
Clay Sunday|泥巴星期天|15.0|4.1|0.57|Face Mask|Kiyomi||Oily,Combination
Overnight Rescue|一夜急救|19.9|4.6|0.66|Face Mask|Northpine||Dry
Rose Window|玫瑰窗|13.3|4.0|0.43|Toner|Petal Room||Sensitive,Combination
Clear Conscience|问心无愧|10.9|3.8|0.35|Toner|Bare Harbor||Oily
Vitamin Sea|维他命海|29.5|4.3|0.62|Serum|Saltwick||Combination
Ten Minute Lift|十分钟奇迹|61.0|4.0|0.31|Serum|Verdelle||Dry
Silk Hour|丝绸时刻|38.0|4.4|0.53|Moisturizer|Lumaro||Dry
Plain Cream|朴素面霜|8.9|4.5|0.74|Moisturizer|Bare Harbor||Sensitive,Dry
Beach Umbrella|海滩伞|18.2|4.4|0.72|Sunscreen|Kiyomi||Oily
Daylight Veil|日光面纱|27.0|4.1|0.46|Sunscreen|Lumaro||Combination
Berry Crush|莓果心动|11.5|4.3|0.59|Lipstick|Kiyomi|Plum,Red|
Barely Pink|微微粉|10.2|4.2|0.64|Lipstick|Petal Room|Pink|
Ink Line|墨线|9.8|4.5|0.68|Eyeliner|Kiyomi|Black|
Blue Hour Liner|蓝调时分|13.9|3.9|0.32|Eyeliner|Lumaro|Blue|
Not Your Mother's Rouge|不是妈妈的腮红|15.6|4.1|0.38|Blush|Petal Room|Pink,Coral|
Peach Fuzz|桃子绒|12.4|4.0|0.42|Blush|Bare Harbor|Coral|
Amber Room|琥珀屋|72.5|4.6|0.54|Perfume|Lumaro||
Cotton Cloud|棉花云|9.6|4.2|0.51|Cleanser|Bare Harbor||Dry,Sensitive
Storm Proof|暴风雨不怕||4.1|0.45|Mascara|Kiyomi|Black|
"""

CHINESE = {
    **{
        "Action": "动作",
        "Comedy": "喜剧",
        "Drama": "剧情",
        "Horror": "恐怖",
        "Western": "西部",
        "Musical": "歌舞",
        "Romance": "爱情",
    },
    **{"Documentary": "纪录片", "Animation": "动画", "Sci-Fi": "科幻", "Film-Noir": "黑色电影", "Thriller": "惊悚", "War": "战争"},
    **{"Mystery": "悬疑", "Fantasy": "奇幻", "Crime": "犯罪", "Children's": "儿童", "Adventure": "冒险"},
    **{
        "Mira Okafor": "米拉·奥卡福",
        "Jonas Lindqvist": "约纳斯·林德奎斯特",
        "Teresa Vidal": "特蕾莎·维达尔",
        "Lin Guowei": "林国伟",
    },
    **{
        "Kenji Arakawa": "荒川健二",
        "Harold Pine": "哈罗德·派恩",
        "Claire Moreau": "克莱尔·莫罗",
        "Dev Malhotra": "德夫·马尔霍特拉",
    },
    **{"USA": "美国", "France": "法国", "Japan": "日本", "Sweden": "瑞典", "India": "印度", "Spain": "西班牙", "China": "中国"},
    **{"Nigeria": "尼日利亚", "English": "英语", "French": "法语", "Japanese": "日语", "Swedish": "瑞典语", "Hindi": "印地语"},
    **{"Spanish": "西班牙语", "Mandarin": "汉语"},
    **{
        "Lipstick": "口红",
        "Mascara": "睫毛膏",
        "Sunscreen": "防晒霜",
        "Moisturizer": "面霜",
        "Cleanser": "洁面乳",
        "Serum": "精华",
    },
    **{
        "Shampoo": "洗发水",
        "Perfume": "香水",
        "Face Mask": "面膜",
        "Nail Polish": "指甲油",
        "Hand Cream": "护手霜",
        "Toner": "爽肤水",
    },
    **{"Eyeliner": "眼线笔", "Blush": "腮红", "Lumaro": "露玛罗", "Verdelle": "维黛尔", "Kiyomi": "清见", "Bare Harbor": "裸港"},
    **{"Northpine": "北松", "Petal Room": "花瓣屋", "Saltwick": "盐井"},
    **{
        "Red": "红色",
        "Pink": "粉色",
        "Nude": "裸色",
        "Black": "黑色",
        "Coral": "珊瑚色",
        "Blue": "蓝色",
        "Clear": "透明",
        "Plum": "梅子色",
    },
    **{"Dry": "干性", "Oily": "油性", "Sensitive": "敏感", "Combination": "混合"},
}

CONSONANTS, VOWELS, ENDS = "bdfgklmnprtvz", "aeiou", "bdgkmnpt"
SYLLABLES = "珂缇霓岚昙绮瑟澜芮茉婳黛蔻翎玥瑭"


@dataclass(frozen=True, kw_only=True)
class Renamed:
    """A catalog with invented labels; `values[attribute, old]` and `attributes[old]` say what became of the old words."""

    catalog: Catalog
    values: Mapping[tuple[str, str], str]
    attributes: Mapping[str, str]


def film_shelf(language: str = "en") -> Catalog:
    """Forty-one films; one title is there twice, one year is unknown."""
    return _catalog(FILMS, language, ("year", "rating", "popularity", "runtime"), ("genres", "director", "country", "language"))


def shop_shelf(language: str = "en") -> Catalog:
    """Forty cosmetics; one title is there twice, one price is unknown. Nothing has a year."""
    return _catalog(SHOP, language, ("price", "rating", "popularity"), ("category", "brand", "color", "skin_type"))


SHELVES = {"films": film_shelf, "shop": shop_shelf}


def renamed(catalog: Catalog, seed: int) -> Renamed:
    """The same catalog with an invented word for every label value and for every word of a label attribute's name."""
    rng = np.random.default_rng(seed)
    taken: set[str] = set()
    chinese = any("\u4e00" <= letter <= "\u9fff" for labels in catalog.labels.values() for name in labels.names for letter in name)
    attributes = {name: _new_name(name, rng, taken) for name in catalog.labels}
    values = {
        (attribute, name): _new_value(name, rng, taken, chinese)
        for attribute, labels in catalog.labels.items()
        for name in labels.names
    }
    rows = {attribute: catalog.label_rows(attribute) for attribute in catalog.labels}
    labels = {
        attributes[attribute]: Labels.build([[values[attribute, value] for value in row] for row in rows[attribute]])
        for attribute in rows
    }
    return Renamed(catalog=replace(catalog, labels=labels), values=values, attributes=attributes)


def plural(word: str) -> str:
    """The regular English plural of a word's last part."""
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(s|x|ch|sh)$", word) else "s")


def _catalog(table: str, language: str, numbers: tuple[str, ...], labels: tuple[str, ...]) -> Catalog:
    rows = [line.split("|") for line in table.strip().splitlines()]
    words = CHINESE if language == "zh" else {}
    start = 2 + len(numbers)
    cells = {name: [row[start + place] for row in rows] for place, name in enumerate(labels)}
    return Catalog(
        item_ids=tuple(str(place) for place in range(1, len(rows) + 1)),
        titles=tuple(row[1 if language == "zh" else 0] for row in rows),
        labels={
            name: Labels.build([[words.get(value, value) for value in cell.split(",") if value] for cell in column])
            for name, column in cells.items()
        },
        numbers={name: np.array([float(row[2 + place] or "nan") for row in rows]) for place, name in enumerate(numbers)},
    )


def _new_value(old: str, rng: np.random.Generator, taken: set[str], chinese: bool) -> str:
    if chinese:
        return _fresh(rng, taken, lambda: "".join(rng.choice(list(SYLLABLES), size=2 if len(old) < 4 else 3, replace=False)))
    return " ".join(_word(rng, taken).capitalize() for _ in old.split())


def _new_name(old: str, rng: np.random.Generator, taken: set[str]) -> str:
    new = "_".join(_word(rng, taken) for _ in old.split("_"))
    return new + "s" if old.endswith("s") else new


def _word(rng: np.random.Generator, taken: set[str]) -> str:
    return _fresh(rng, taken, lambda: "".join(rng.choice(list(part)) for part in (CONSONANTS, VOWELS, CONSONANTS, VOWELS, ENDS)))


def _fresh(rng: np.random.Generator, taken: set[str], make) -> str:
    while True:
        word = make()
        if not any(word in other or other in word for other in taken):
            taken.add(word)
            return word
