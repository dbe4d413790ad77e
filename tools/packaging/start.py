"""What the bundled program starts: Dropline, or the long walk that has a process of its own."""

import sys

from dropline.admission import APART
from dropline.admission import main as admit
from dropline_desktop.__main__ import main

if __name__ == "__main__":
    if sys.argv[1:] == [APART]:
        admit()
    else:
        sys.exit(main())
