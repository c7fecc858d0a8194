"""What findings say they could do, worded once, so that reports and translations agree."""

from __future__ import annotations

from typing import Final

ANY_CODE: Final = "It could run any code."
UNREAD: Final = "What is in it is not known."
FILES: Final = "It could read or write files."
ANY_FILE: Final = "It could read any file of the user."
FOREIGN: Final = "What that library does is not known here."
