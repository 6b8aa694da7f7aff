"""Chinese wording that is said less often: idioms, chat, dialect and formal phrases, alone and in company."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import parse

FILMS = SHELVES["films"]("zh")
SENTENCES = [
    # refusals by idiom, none of which may become a demand
    ("恐怖恕不奉陪", ["not genres: 恐怖"]),
    ("恐怖给我靠边站，来点喜剧", ["genres: 喜剧", "not genres: 恐怖"]),
    ("恐怖少来烦我，要六部", ["n = 6", "not genres: 恐怖"]),
    ("要1990年以前的，恐怖非我所好", ["not genres: 恐怖", "year <= 1989"]),
    ("恐怖白送我都不要", ["not genres: 恐怖"]),
    ("恐怖留给别人吧，另外来五部", ["n = 5", "not genres: 恐怖"]),
    ("我跟恐怖有仇", ["not genres: 恐怖"]),
    ("谁给我推恐怖我跟谁急", ["not genres: 恐怖"]),
    ("恐怖no", ["not genres: 恐怖"]),
    ("看喜剧，与恐怖划清界限", ["genres: 喜剧", "not genres: 恐怖"]),
    ("把恐怖统统踢出群聊", ["not genres: 恐怖"]),
    ("恐怖那套我可不买账", ["not genres: 恐怖"]),
    ("恐怖到此为止，来六部", ["n = 6", "not genres: 恐怖"]),
    ("要喜剧，恐怖您另寻高明", ["genres: 喜剧", "not genres: 恐怖"]),
    ("恐怖，狗都不看", ["not genres: 恐怖"]),
    ("恐怖谁看谁傻", ["not genres: 恐怖"]),
    ("恐怖别出现在我的清单上", ["not genres: 恐怖"]),
    ("评分不到4分的没资格进名单", ["rating >= 4"]),
    # refusals of two things
    ("恐怖跟战争我是哪个都瞧不上", ["not genres: 恐怖 | 战争"]),
    ("恐怖、战争，两个都划掉", ["not genres: 恐怖 | 战争"]),
    ("恐怖、战争这俩给我剔了", ["not genres: 恐怖 | 战争"]),
    ("恐怖以及战争，概不接受", ["not genres: 恐怖 | 战争"]),
    ("恐怖别来，战争同理", ["not genres: 恐怖 | 战争"]),
    ("恐怖禁止，战争也一样，来六部", ["n = 6", "not genres: 恐怖 | 战争"]),
    ("恐怖和战争我都过敏", ["not genres: 恐怖 | 战争"]),
    # a refusal of what lacks something is a demand
    ("没有喜剧成分的别拿来", ["genres: 喜剧"]),
    ("和喜剧无关的别推，要六部", ["genres: 喜剧", "n = 6"]),
    ("跟喜剧八竿子打不着的就算了", ["genres: 喜剧"]),
    ("少了喜剧这味儿可不成", ["genres: 喜剧"]),
    ("喜剧缺了可不行，恐怖没资格上榜", ["genres: 喜剧", "not genres: 恐怖"]),
    ("不是喜剧我不认", ["genres: 喜剧"]),
    ("喜剧没个三部不行", ["at least 3: genres: 喜剧"]),
    ("没有三部喜剧不行", ["at least 3: genres: 喜剧"]),
    # what may refuse in words that nobody knows is handed back
    ("恐怖、战争统统甩飞", []),
    ("零恐怖", []),
    # demands
    ("喜剧走起，1990年以前的", ["genres: 喜剧", "year <= 1989"]),
    ("有喜剧没有，给来点", ["genres: 喜剧"]),
    # alternatives
    ("甭管喜剧还是动画，给我来就是", ["genres: 动画 | 喜剧"]),
    ("喜剧跟动画里面随你拣", ["genres: 动画 | 喜剧"]),
    ("喜剧成，动画也成", ["genres: 动画 | 喜剧"]),
    ("喜剧凑合，动画也凑合，要六部", ["genres: 动画 | 喜剧", "n = 6"]),
    ("除喜剧、动画外概不考虑", ["genres: 动画 | 喜剧"]),
    ("喜剧动画，任君挑选", ["genres: 动画 | 喜剧"]),
    ("要么是喜剧，要不就是动画", ["genres: 动画 | 喜剧"]),
    ("喜剧跟动画我来者不拒", ["genres: 动画 | 喜剧"]),
    # years
    ("80s的喜剧", ["genres: 喜剧", "year 1980..1989"]),
    ("最老不过1990年", ["year >= 1990"]),
    ("早于1990年的概不受理", ["year >= 1990"]),
    ("往前最远到1990年", ["year >= 1990"]),
    ("至早1990年", ["year >= 1990"]),
    ("起码1990年之前", ["year <= 1989"]),
    ("止步于1990年", ["year <= 1990"]),
    ("1990年到头了", ["year <= 1990"]),
    ("上至1985下至1995，不要恐怖", ["not genres: 恐怖", "year 1985..1995"]),
    ("不早于85年不晚于95年", ["year 1985..1995"]),
    ("自1985年迄1995年", ["year 1985..1995"]),
    ("年份得是90年", ["year 1990..1990"]),
    ("1990年往后，1990年也行", ["year >= 1990"]),
    ("比1990年年轻的", ["year >= 1991"]),
    # how many
    ("三部喜剧就到顶了", ["at most 3: genres: 喜剧"]),
    ("喜剧超过三部就过了", ["at most 3: genres: 喜剧"]),
    ("喜剧要三部，正正好", ["exactly 3: genres: 喜剧"]),
    ("仅需七部", ["n = 7"]),
    # refusals and demands that end in a threat
    ("恐怖打住", ["not genres: 恐怖"]),
    ("没喜剧我可不依", ["genres: 喜剧"]),
    ("不是喜剧别叫我", ["genres: 喜剧"]),
    # ways to begin that are no wish, no story and no refusal
    ("想试试喜剧，不要恐怖", ["genres: 喜剧", "not genres: 恐怖"]),
    ("希望有喜剧", ["genres: 喜剧"]),
    ("如果可以的话，希望是喜剧", []),
    ("方便的话推荐一下喜剧", ["genres: 喜剧"]),
    ("有无喜剧", ["genres: 喜剧"]),
    ("没东西看了：喜剧", ["genres: 喜剧"]),
    ("不废话，喜剧", ["genres: 喜剧"]),
    ("甩几个喜剧", ["genres: 喜剧"]),
    # bounds of a number
    ("评分到3就行", ["rating >= 3"]),
    ("评分没有3的不要", ["rating >= 3"]),
    ("评分别掉到3以下", ["rating > 3"]),
    ("评分不能再低于3", ["rating >= 3"]),
    ("评分3起码", ["rating >= 3"]),
    ("评分3或之上", ["rating >= 3"]),
    ("评分等于或高于3", ["rating >= 3"]),
    ("评分到4为止", ["rating <= 4"]),
    ("评分从3到4", ["rating 3..4"]),
    # what is known and new
    ("看过的不算数", ["new"]),
    ("看过的谁还看啊", ["new"]),
    ("凡我看过的，请勿重复", ["new"]),
    ("别重复推我看过的", ["new"]),
    ("要喜剧，别炒冷饭", ["genres: 喜剧", "new"]),
    # like a title, and not; wishes
    ("要跟《北海之龙》拉开差距", ["unlike: 北海之龙"]),
    ("喜剧有最好没有拉倒，要六部", ["n = 6"]),
    ("喜剧当首选，不要恐怖", ["not genres: 恐怖"]),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_sentences(text, expected):
    assert hard(parse(text, FILMS, language="zh"), FILMS) == set(expected)
