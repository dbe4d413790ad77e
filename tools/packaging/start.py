"""What the bundled program starts: Dropline, or the walk that it gives to a process of its own."""

import sys

from dropline.intake.apart import WALK
from dropline.intake.apart import main as walk
from dropline_desktop.__main__ import main

if __name__ == "__main__":
    if sys.argv[1:] == [WALK]:
        walk()
    else:
        sys.exit(main())
