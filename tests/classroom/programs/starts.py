"""Start a sandbox, say so, and wait: python -m tests.classroom.programs.starts"""

import time

from classroom.kernel import Kernel

if __name__ == "__main__":
    with Kernel(10) as kernel:
        print("now", flush=True)
        kernel.run("1")
        time.sleep(60)
