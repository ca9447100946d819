"""Every kind of submission, in the groups that are marked together."""

from tests.classroom.whole_class.kinds.damaged import FILES
from tests.classroom.whole_class.kinds.greedy import BOMBS, LIMITS
from tests.classroom.whole_class.kinds.hostile import TRIES

GROUPS = {"files": FILES, "tries": TRIES, "limits": LIMITS, "bombs": BOMBS}
