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
    ("恐怖、战争统统甩飞", ["not genres: 恐怖 | 战争"]),
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
    # connectives behind a full stop begin anew
    ("要喜剧。其次，动画和恐怖都不看", ["genres: 喜剧", "not genres: 动画 | 恐怖"]),
    ("要喜剧。再补充一条：恐怖不要", ["genres: 喜剧", "not genres: 恐怖"]),
    ("要喜剧；还有个要求，动画和恐怖都别来", ["genres: 喜剧", "not genres: 动画 | 恐怖"]),
    ("要喜剧。再补一句，恐怖请避开", ["genres: 喜剧", "not genres: 恐怖"]),
    ("喜剧，啊对了，要八部", ["genres: 喜剧", "n = 8"]),
    ("要喜剧。忘了说，最多三部动画", ["at most 3: genres: 动画", "genres: 喜剧"]),
    ("喜剧之类的。再一个，动画和恐怖两类都行", ["genres: 动画 | 恐怖", "genres: 喜剧"]),
    ("不要恐怖；差点忘了，来五部", ["n = 5", "not genres: 恐怖"]),
    ("不要喜剧，再加上恐怖", ["not genres: 喜剧 | 恐怖"]),
    # openings that say how somebody feels or finds himself
    ("实在不知道选什么了，来点喜剧", ["genres: 喜剧"]),
    ("不知道看啥好，不要恐怖", ["not genres: 恐怖"]),
    ("第一次用这个，要五部", ["n = 5"]),
    ("最近有点无聊，喜剧正好要两部", ["exactly 2: genres: 喜剧"]),
    ("下班回家想要喜剧这类", ["genres: 喜剧"]),
    ("条件有点多，不要恐怖", ["not genres: 恐怖"]),
    ("偏好如下：里面不多不少五部喜剧", ["exactly 5: genres: 喜剧"]),
    ("推荐下15部喜剧", ["genres: 喜剧", "n = 15"]),
    # tildes
    ("不要恐怖～", ["not genres: 恐怖"]),
    ("凡不是喜剧的都排除～", ["genres: 喜剧"]),
    ("评分3~4的", ["rating 3..4"]),
    # the end of a bound by its number
    ("评分3以上，3不算", ["rating > 3"]),
    ("评分4以下，4也不行", ["rating < 4"]),
    ("1990年以后的，1995年不要", ["exactly 0: year 1995..1995", "year >= 1990"]),
    ("1987年之后的不要，1987年当年的也不要", ["year <= 1986"]),
    ("1990年（包括1990年）以后的", ["year >= 1990"]),
    ("1990年（不含1990年）以前的", ["year <= 1989"]),
    ("1990年以后的，不算1990年", ["year >= 1991"]),
    # bounds
    ("最早只能是1990年的", ["year >= 1990"]),
    ("最新也只能是1990年的", ["year <= 1990"]),
    ("评分怎么说也要3以上", ["rating >= 3"]),
    ("评分最多只能到4", ["rating <= 4"]),
    ("评分比3再高点", ["rating > 3"]),
    ("1990年还没到的时候出的", ["year <= 1989"]),
    ("3到4之间的评分", ["rating 3..4"]),
    ("不是1990年出的都不要", ["year 1990..1990"]),
    # alternatives
    ("要不就喜剧，要不就动画", ["genres: 动画 | 喜剧"]),
    ("要么喜剧，不然就动画", ["genres: 动画 | 喜剧"]),
    ("不是喜剧就动画", ["genres: 动画 | 喜剧"]),
    ("不是喜剧也得是动画", ["genres: 动画 | 喜剧"]),
    ("喜剧、动画不限，其他的不要", ["genres: 动画 | 喜剧"]),
    ("可以是喜剧，也可以是动画", ["genres: 动画 | 喜剧"]),
    # refusals and demands
    ("忌恐怖", ["not genres: 恐怖"]),
    ("恐怖真的不想再看了", ["not genres: 恐怖"]),
    ("再也不想看恐怖", ["not genres: 恐怖"]),
    ("对恐怖实在爱不起来", ["not genres: 恐怖"]),
    ("不符合喜剧的不要", ["genres: 喜剧"]),
    ("走喜剧路线的", ["genres: 喜剧"]),
    ("不想再看恐怖，要喜剧", ["genres: 喜剧", "not genres: 恐怖"]),
    # counts
    ("挑七部最好的", ["n = 7"]),
    ("喜剧不多不少来三部", ["exactly 3: genres: 喜剧"]),
    ("喜剧要不多不少三部", ["exactly 3: genres: 喜剧"]),
    ("最多三部喜剧，多了不要", ["at most 3: genres: 喜剧"]),
    # likeness
    ("最近迷上了《北海之龙》，想找类似的", ["like: 北海之龙"]),
    ("我是《北海之龙》的粉丝，求相似", ["like: 北海之龙"]),
    ("我妈最近迷上了《北海之龙》", []),
    # known and new
    ("没听说过的喜剧", ["genres: 喜剧", "new"]),
    ("没听说过的小众喜剧", ["genres: 喜剧", "new"]),
    # wishes
    ("比较想要喜剧", []),
    ("喜剧的话最好", []),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_sentences(text, expected):
    assert hard(parse(text, FILMS, language="zh"), FILMS) == set(expected)
