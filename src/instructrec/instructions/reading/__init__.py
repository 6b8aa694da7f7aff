"""The passes that read words by rules, each linear in the text; `instructions/parse.py` calls them in this order.

- What stands there: `marks` finds values, titles, numbers and function words (with `examples`, `figures`, `cutting` and `thinning`,
  which skips adverbs inside phrases); a `Mark` is a stretch of words and the roles it can play.
- Numbers of money and time: English `sums`, `strays`, `spending`, `bare` (by the words beside them: `asides`); Chinese `numerals`,
  `unrelated`, `unnamed`, `budgets` with `around`.
- Clauses that tell, permit, complain or compare rather than ask: English `tellings` by `patterns`, Chinese `sayings` by
  `signs`, where refusals are also put together of adverbs, a negator and a verb.
- What words far apart in a clause, or in the one behind, say together: `frames`, `framing`, `comments`, `verdicts`, `edges`,
  `remainders`, `onward`.
- Bounds, counts and lengths: `comparisons`, `inequalities`, `bounds`, `ranges` with `named`, `remarks`, `wholes`, `counts`,
  `lengths`, `groups`.
- Words whose part depends on neighbours: `context`, `alternatives`, `likening`, `surroundings`.
- How far "no" and "ideally" reach: `scope`, `reach`, `backwards`, `commas`, `joints`; a `Read` is a mark and whether it is wanted.
  Then `doubts` (Chinese clauses that may refuse), `corrections`, `stories`.
- What becomes of it: `quotas`, `apart` (things with a range each), `combined` with `exclusions` (what is unwanted together, and
  exceptions: quotas of none), `barred` (unwanted spans), `assembly` (limits and wish), `settling` (what does not agree).
"""
