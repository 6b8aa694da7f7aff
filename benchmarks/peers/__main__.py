"""Make the environment of a peer: python -m benchmarks.peers NAME."""

import sys

from benchmarks.peers import HERE, environment

if __name__ == "__main__":
    known = sorted(path.stem for path in HERE.glob("*.txt"))
    for name in sys.argv[1:] or known:
        print(name, environment(name))
