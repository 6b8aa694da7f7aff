"""Six small Chinese catalogs of different goods, for sentences with their meaning (`sentences/fourth.zh.toml` and later).

Films, books, cosmetics, songs, games and recipes: each with labels, and numbers of several kinds, some known by no general name.
"""

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from tests.instructions.sentences import FOLDER
from tests.instructions.worlds import catalog, hard

from instructrec.instructions import parse
from instructrec.tables import Catalog, Labels

_LABEL = re.compile(r"(not )?(\w+): (.*)")

_ROWS = {
    "films": (
        ("类型", "导演", "地区", "年份", "评分", "热度", "片长"),
        """
        雾港来信|悬疑,犯罪|顾北辰|香港|1994|8.6|0.72|128
        麦田守夜人|剧情|沈知秋|大陆|2008|7.9|0.35|112
        午夜理发店|恐怖,悬疑|黎远山|泰国|2015|6.8|0.64|96
        铁轨尽头|战争,剧情|顾北辰|大陆|1982|8.1|0.28|141
        糖果机器人|动画,科幻|苏小满|日本|2019|8.9|0.88|93
        长街笑谈|喜剧|黎远山|香港|1990|7.4|0.81|101
        候鸟日记|纪录片|沈知秋|法国|2012|9.1|0.17|84
        心跳第七街|爱情,喜剧|苏小满|韩国|2021|7.1|0.93|118
        孤城剑影|武侠,动作|顾北辰|香港|1978|8.3|0.46|107
        星尘列车|科幻,爱情|沈知秋|美国|2003|7.7|0.55|133
        """,
    ),
    "books": (
        ("类别", "作者", "出版社", "年份", "价格", "评分", "页数"),
        """
        灯下旧事|散文|周砚青|青禾社|1987|32|8.2|240
        第九封信|推理|白石原|远帆书局|2016|45|8.8|368
        山河纪|历史|陆怀舟|青禾社|2009|88|9.0|720
        飞鸟与橡皮|童话|林叶子|小月亮|2020|28|8.5|96
        雨夜账本|推理,悬疑|白石原|远帆书局|2019|49.8|7.9|330
        微光成诗|诗集|周砚青|小月亮|1999|25|7.6|160
        细胞的邻居|科普|何其远|青禾社|2022|59|8.7|280
        海边的将军|传记,历史|陆怀舟|远帆书局|1995|66|8.1|512
        """,
    ),
    "cosmetics": (
        ("品类", "品牌", "肤质", "价格", "评分", "销量"),
        """
        晚枫丝绒|口红|花知晓月|中性皮|139.9|4.6|5200
        云朵泡泡|洁面|素颜工坊|干皮,敏感肌|59|4.3|8100
        极光瓶|精华|北极星辰|油皮|420|4.8|2600
        雪肌贴|面膜|素颜工坊|敏感肌|89|4.1|9300
        晴天伞|防晒|海盐日记|油皮,混油皮|118|4.5|7700
        琥珀森林|香水|北极星辰|中性皮|680|4.4|900
        桃气盘|眼影|花知晓月|中性皮|169|3.9|3100
        裸光瓶|粉底液|海盐日记|混油皮|230|4.2|4400
        """,
    ),
    "songs": (
        ("曲风", "歌手", "语种", "年份", "热度", "时长"),
        """
        南方的信|民谣|陈木子|国语|2013|0.66|4
        霓虹夜航|电子|极昼乐队|英语|2021|0.82|3
        不问归期|古风|江晚吟|国语|2018|0.74|5
        旧码头|摇滚|极昼乐队|国语|1994|0.51|6
        雨中咖啡馆|爵士|罗小雅|英语|2006|0.33|5
        半糖主意|情歌|罗小雅|粤语|1988|0.59|4
        街头日记|说唱|阿彪|国语|2020|0.91|3
        铜锣湾的风|情歌,摇滚|阿彪|粤语|1992|0.47|4
        """,
    ),
    "games": (
        ("玩法", "平台", "厂商", "年份", "价格", "评分"),
        """
        深林物语|模拟经营|掌机|树屋工作室|2020|98|9.2
        钢铁残阳|射击|电脑|黑曜科技|2017|198|8.1
        迷宫来客|解谜|手机|树屋工作室|2014|30|8.8
        王座之下|角色扮演,策略|主机|龙渊互动|2022|328|9.0
        街头拳王传|格斗|主机|黑曜科技|1996|68|7.7
        云端赛道|竞速|主机,电脑|龙渊互动|2011|128|7.4
        三国棋局|策略|电脑,手机|龙渊互动|2003|48|8.4
        """,
    ),
    "recipes": (
        ("菜系", "食材", "做法", "时长", "热度", "热量"),
        """
        水煮大片|川菜|牛肉,香菜|水煮|40|0.88|620.5
        白玉盅|粤菜|豆腐,虾仁|清蒸|25|0.52|210
        红烧肉方|本帮菜|五花肉|红烧|90|0.93|850
        柠檬手撕|家常菜|鸡胸肉,香菜|凉拌|20|0.77|260
        剁椒大头|湘菜|鱼头|清蒸|35|0.69|330
        番茄滑面|家常菜|番茄,鸡蛋|水煮|15|0.81|390
        孜然小串|东北菜|羊肉|烧烤|50|0.64|540
        """,
    ),
}
LABELS = 3
"""Columns of labels behind the title; all further ones are numbers."""
NAMES = tuple(_ROWS)
PARTS = ("fourth", "fifth", "sixth")
"""Sets of sentences, each written after the one before was understood, and read for the first time when it was complete."""
KINDS = ("include", "exclude", "either", "range", "count", "quota", "example", "seen", "pair", "composite", "nothing")


@dataclass(frozen=True, kw_only=True)
class Stall:
    """A catalog, and what its label values are called in it (empty: as they are)."""

    catalog: Catalog
    words: Mapping[str, str]

    def said(self, text: str) -> str:
        """A text with the values as they are called here, outside of titles; two of them are parted by a space."""
        if not self.words:
            return text
        values = "|".join(sorted(self.words, key=len, reverse=True))
        pieces = re.split(r"(《[^》]*》)", text)
        renamed = [
            re.sub(values, lambda found: self.words[found[0]], piece) if at % 2 == 0 else piece for at, piece in enumerate(pieces)
        ]
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", "".join(renamed))

    def meant(self, conditions: Sequence[str]) -> set[str]:
        """The conditions with the values as they are called here, each as `worlds.hard` writes it."""
        return {
            _ordered(condition if condition.startswith(("like", "unlike")) else self.said(condition)) for condition in conditions
        }

    def understood(self, text: str) -> set[str]:
        """The hard part of what is understood of a text."""
        found = hard(parse(self.said(text), self.catalog, language="zh"), self.catalog)
        return {_ordered(condition) for condition in found}


@dataclass(frozen=True, kw_only=True)
class Said:
    """One sentence of a set and the conditions that it means."""

    stall: str
    kind: str
    text: str
    conditions: tuple[str, ...]


@cache
def stall(name: str, *, latin: bool = False) -> Stall:
    """One of the catalogs; `latin`: with invented Latin words for its values, like those of foreign catalogs."""
    names, table = _ROWS[name]
    rows = []
    for line in table.strip().splitlines():
        title, *cells = line.strip().split("|")
        rows.append((title, *(cell.split(",") for cell in cells[:LABELS]), *(float(cell) for cell in cells[LABELS:])))
    found = catalog(rows, names[:LABELS], names[LABELS:])
    if not latin:
        return Stall(catalog=found, words={})
    words = _invented(name, sorted({value for labels in found.labels.values() for value in labels.names}))
    labels = {kind: Labels.build([[words[value] for value in row] for row in found.label_rows(kind)]) for kind in found.labels}
    return Stall(catalog=replace(found, labels=labels), words=words)


def load(part: str) -> list[Said]:
    """The sentences of a set."""
    table = tomllib.loads((FOLDER / f"{part}.zh.toml").read_text(encoding="utf-8"))
    return [
        Said(stall=name, kind=kind, text=text, conditions=tuple(conditions))
        for name, kinds in table.items()
        for kind, rows in kinds.items()
        for text, *conditions in rows
    ]


def values(conditions: set[str], *, unwanted: bool) -> set[tuple[str, str]]:
    """(attribute, value) of all that some conditions refuse, or demand alone, as an alternative or at least so many times."""
    passed = ("like", "unlike", "at most", "exactly 0")
    held = [condition for condition in conditions if not condition.startswith(passed)]
    parts = [part for condition in held for part in re.sub(r"^(at least|exactly) \d+: ", "", condition).split(" & ")]
    found = [match for part in parts if (match := _LABEL.fullmatch(part)) and bool(match[1]) == unwanted]
    return {(match[2], value) for match in found for value in match[3].split(" | ")}


def _invented(name: str, labels: Sequence[str]) -> dict[str, str]:
    draw = random.Random(name)
    words: dict[str, str] = {}
    while len(words) < len(labels):
        word = "".join(draw.choice("bdfgklmnprtvz") + draw.choice("aeiou") for _ in range(draw.choice((3, 4)))).capitalize()
        if word not in words.values():
            words[labels[len(words)]] = word
    return words


def _ordered(condition: str) -> str:
    counted = re.match(r"(at least|at most|exactly) \d+: ", condition)
    head, rest = (counted[0], condition[counted.end() :]) if counted else ("", condition)
    parts = []
    for part in rest.split(" & "):
        label = _LABEL.fullmatch(part)
        names = " | ".join(sorted(label[3].split(" | "))) if label else ""
        parts.append(f"{label[1] or ''}{label[2]}: {names}" if label else part)
    return head + " & ".join(sorted(parts))
