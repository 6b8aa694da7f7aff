"""Chinese clauses in company: remarks, counts, alternatives and comparisons beside each other keep what each of them says."""

import pytest
from tests.instructions.shelves import SHELVES
from tests.instructions.worlds import hard

from instructrec.instructions import parse

FILMS = SHELVES["films"]("zh")
SENTENCES = [
    # bare counts
    ("既是喜剧又是爱情的不要", ["exactly 0: genres: 喜剧 & genres: 爱情"]),
    ("我不想看既属于喜剧又属于爱情的", ["exactly 0: genres: 喜剧 & genres: 爱情"]),
    ("要既是喜剧又是爱情的", ["genres: 喜剧", "genres: 爱情"]),
    ("不要恐怖片，还有8个", ["n = 8", "not genres: 恐怖"]),
    ("来点喜剧，还有六部，多了少了都不行", ["genres: 喜剧", "n = 6"]),
    ("最终名单定七部", ["n = 7"]),
    ("来点喜剧，麻烦凑成9样", ["genres: 喜剧", "n = 9"]),
    ("单子上放一个，要喜剧", ["genres: 喜剧", "n = 1"]),
    ("要喜剧，挑一个给我", ["genres: 喜剧", "n = 1"]),
    ("要喜剧，另外推一部给我呗", ["genres: 喜剧", "n = 1"]),
    ("给个一部的清单，不要恐怖片", ["n = 1", "not genres: 恐怖"]),
    ("六部一组给我，喜剧", ["genres: 喜剧", "n = 6"]),
    ("喜剧，最好的一部", ["genres: 喜剧", "n = 1"]),
    ("不要恐怖片，凑够八部，别多给，还有喜剧和动画这两类里挑", ["genres: 动画 | 喜剧", "n = 8", "not genres: 恐怖"]),
    ("家里已经有三部了，来点喜剧", ["genres: 喜剧"]),
    # nothing else
    ("不要别的，就喜剧", ["genres: 喜剧"]),
    ("要六部，此外不要别的，就喜剧，另外别给我看过的", ["genres: 喜剧", "n = 6", "new"]),
    ("喜剧，别的不考虑，还有不要恐怖片", ["genres: 喜剧", "not genres: 恐怖"]),
    ("认准喜剧了，其他的不换", ["genres: 喜剧"]),
    ("除了喜剧和动画，别的都不要，正好三部爱情", ["exactly 3: genres: 爱情", "genres: 动画 | 喜剧"]),
    ("非恐怖的，除了喜剧别的都不考虑", ["genres: 喜剧", "not genres: 恐怖"]),
    # what is known, of one kind only
    ("不许推我早就看过的喜剧", ["new"]),
    ("不许推我早就看过的像样的喜剧", ["new"]),
    ("我看过的那些喜剧", ["genres: 喜剧", "known"]),
    # bounds and what is said of them
    ("1990年之后的，不包括那一年像样的喜剧", ["genres: 喜剧", "year >= 1991"]),
    ("1990年往前的，当年也算喜剧", ["genres: 喜剧", "year <= 1990"]),
    ("1990年以前的，含当年一些喜剧", ["genres: 喜剧", "year <= 1990"]),
    ("2000年之前的，不含2000年一点喜剧", ["genres: 喜剧", "year <= 1999"]),
    ("2000年那年的太新了，要再往前的喜剧", ["genres: 喜剧", "year <= 1999"]),
    ("1990年和1995年，以及中间那些年的喜剧", ["genres: 喜剧", "year 1990..1995"]),
    ("迟于1990年的我不考虑一些喜剧", ["genres: 喜剧", "year <= 1990"]),
    ("像《北海之龙》的，2000年开始的都不要，要更早的", ["like: 北海之龙", "year <= 1999"]),
    ("不能比1990年更早几种喜剧", ["genres: 喜剧", "year >= 1990"]),
    ("1990年以前的，不含当年。恐怖片不要", ["not genres: 恐怖", "year <= 1989"]),
    ("年份不早于1990drama", ["year >= 1990"]),
    # how many, with company
    ("我不太会弄这个，麻烦你了，喜剧恰好三部", ["exactly 3: genres: 喜剧"]),
    ("起码要有两部喜剧。跟恐怖沾边的都不要", ["at least 2: genres: 喜剧", "not genres: 恐怖"]),
    ("其中喜剧要是超过三部就太多了；应该是法国的", ["at most 3: genres: 喜剧", "country: 法国"]),
    ("其中正好四部喜剧，应该是动画", ["exactly 4: genres: 喜剧", "genres: 动画"]),
    ("其中一部是喜剧，其余的不是", ["exactly 1: genres: 喜剧"]),
    ("最少四部喜剧，里面动画的数量要正好是2", ["at least 4: genres: 喜剧", "exactly 2: genres: 动画"]),
    ("其中至少两部喜剧，类别：动画", ["at least 2: genres: 喜剧", "genres: 动画"]),
    ("喜剧得正好一部，此外类别：动画", ["exactly 1: genres: 喜剧", "genres: 动画"]),
    ("喜剧别太多，一部以内，动画的一律不要", ["at most 1: genres: 喜剧", "not genres: 动画"]),
    ("能是喜剧最好，不是也行，四部动画的，其他的换别的", ["exactly 4: genres: 动画"]),
    ("至少四部是动画，没有喜剧也没关系，有当然好", ["at least 4: genres: 动画"]),
    ("动画，不一定要喜剧，有的话优先考虑，正好三部爱情", ["exactly 3: genres: 爱情", "genres: 动画"]),
    # alternatives are a condition of their own
    ("来点爱情片，从喜剧或者动画里头选", ["genres: 动画 | 喜剧", "genres: 爱情"]),
    ("统统给我爱情片，得沾上喜剧或者动画", ["genres: 动画 | 喜剧", "genres: 爱情"]),
    ("爱情，我只收喜剧和动画，满足其一就行", ["genres: 动画 | 喜剧", "genres: 爱情"]),
    ("范围定在爱情，此外我只对喜剧感兴趣", ["genres: 喜剧", "genres: 爱情"]),
    ("不要恐怖片，喜剧、动画两者有其一即可，都没有的不要", ["genres: 动画 | 喜剧", "not genres: 恐怖"]),
    ("不要恐怖片，此外喜剧、动画二选一", ["genres: 动画 | 喜剧", "not genres: 恐怖"]),
    ("给我喜剧也行，动画也行，其他不行", ["genres: 动画 | 喜剧"]),
    ("想要喜剧可以，动画也可以，超出这俩的就别推了", ["genres: 动画 | 喜剧"]),
    # refusals reach no further than they say
    ("要爱情片，另外我跟恐怖八字不合", ["genres: 爱情", "not genres: 恐怖"]),
    ("想要喜剧，跟恐怖沾边的都不要", ["genres: 喜剧", "not genres: 恐怖"]),
    ("不要推荐恐怖片，跟喜剧相关的", ["genres: 喜剧", "not genres: 恐怖"]),
    ("喜剧类的，凡是恐怖的都去掉", ["genres: 喜剧", "not genres: 恐怖"]),
    ("不要恐怖类的，不坑人的喜剧，另外来六部", ["genres: 喜剧", "n = 6", "not genres: 恐怖"]),
    ("别给我1990年或者更早的，还有喜剧的话就更好了", ["year >= 1991"]),
    ("想要不踩雷的喜剧", ["genres: 喜剧"]),
    ("需要是喜剧，别推恐怖片", ["genres: 喜剧", "not genres: 恐怖"]),
    ("请勿包含恐怖，同《北海之龙》一类的", ["like: 北海之龙", "not genres: 恐怖"]),
    # what is like a title named before
    ("对《北海之龙》念念不忘，想找像它的一些喜剧", ["genres: 喜剧", "like: 北海之龙"]),
    ("我很喜欢《北海之龙》，要类似的六部喜剧", ["genres: 喜剧", "like: 北海之龙", "n = 6"]),
    ("跟《北海之龙》一类的12部，都得是喜剧", ["genres: 喜剧", "like: 北海之龙", "n = 12"]),
    ("《北海之龙》不好，不要类似的喜剧", ["not genres: 喜剧", "unlike: 北海之龙"]),
    ("推荐一些喜剧，若干动画", ["genres: 动画", "genres: 喜剧"]),
    # what is refused on one side of a number, and what is asked for on the other
    ("评分只到3的我瞧不上，要更高的", ["rating > 3"]),
    ("热度最高0.3的不要，要更高的", ["popularity > 0.3"]),
    ("评分到4就行", ["rating >= 4"]),
    ("别废话，直接给我1960年开始的东西我都不要，要更早的", ["year <= 1959"]),
    # a year stays one, whatever is named behind it
    ("90年代的口碑不错的喜剧", ["genres: 喜剧", "year 1990..1999"]),
    ("比1990年晚的口碑好的剧情", ["genres: 剧情", "year >= 1991"]),
    ("不超过2002年的口碑好的动画", ["genres: 动画", "year <= 2002"]),
    # nothing else
    ("除了恐怖旁的甭给，评分4以上", ["genres: 恐怖", "rating >= 4"]),
    ("评分4以上，另外除了恐怖旁的都别给", ["genres: 恐怖", "rating >= 4"]),
    ("除恐怖以外旁的一概别给，1990年以后的", ["genres: 恐怖", "year >= 1990"]),
    # what looking at a thing costs
    ("恐怖看一眼折寿", ["not genres: 恐怖"]),
    ("看恐怖会折寿", ["not genres: 恐怖"]),
    ("恐怖看一眼少活十年", ["not genres: 恐怖"]),
    ("喜剧要让人眼前一亮", ["genres: 喜剧"]),
    # what must be there, behind what must not
    ("不要恐怖，得沾上剧情或者喜剧", ["genres: 剧情 | 喜剧", "not genres: 恐怖"]),
    ("绝对不要第二个《盐水》，得沾上剧情或者喜剧", ["genres: 剧情 | 喜剧", "unlike: 盐水"]),
    ("动作是硬性条件，歌舞都别出现", ["genres: 动作", "not genres: 歌舞"]),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES, ids=[text for text, _ in SENTENCES])
def test_each_clause_keeps_what_it_says(text, expected):
    assert hard(parse(text, FILMS, language="zh"), FILMS) == set(expected)
