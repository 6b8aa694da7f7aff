"""What a run makes of twenty requests: the page docs/words.md.

    python -m benchmarks.examples --run runs/demo --user 191 > docs/words.md

Nothing is chosen or left out: the sentences stand in `examples.toml`, the answers are those of the run.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from instructrec.pipeline import Request, answer
from instructrec.runs import Run
from instructrec.wire import understood

SENTENCES = tomllib.loads((Path(__file__).parent / "examples.toml").read_text(encoding="utf-8"))["requests"]
SHOWN = 3


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--user", default="191")
    given = parser.parse_args()
    run = Run.load(given.run)
    print(HEAD.format(count=len(SENTENCES), data=run.config.data.source, model=run.model_names[0], user=given.user))
    for number, (text, language) in enumerate(SENTENCES, start=1):
        found = answer(run, Request(user=given.user, instruction=text, language=language), explained=False)
        parts = understood(found["instruction"]) or ["nothing that limits the list"]
        print(f"{number}. **{text}**\n\n   Understood: {'; '.join(part.rstrip('.') for part in parts)}.\n")
        for item in found["items"][:SHOWN]:
            print(f"   - {item['title']}")
        print("".join(f"\n   {note}\n" for note in found["notes"]))


HEAD = """# Twenty requests, and what was made of them

The first three items of the list for user {user} of `{data}` (model `{model}`), with what was understood of each. The page is
written by `python -m benchmarks.examples`; nothing is chosen or left out among the {count} requests of `benchmarks/examples.toml`.
"""


if __name__ == "__main__":
    main()
