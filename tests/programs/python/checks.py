"""What the clients share: `CLIENT CHECK…` runs these checks of it, says which is right, and stops at the first that is
not."""
import asyncio, faulthandler, inspect, sys, uuid

ORIGIN = "https://node.test"
BLOB = bytes(at % 251 for at in range(3 << 20))


def gate():
    """A gate's name that nobody else has."""
    return str(uuid.uuid4())


def run(checks, names=None):
    # Says where it hangs.
    faulthandler.dump_traceback_later(30, exit=True)
    for name in sys.argv[1:] if names is None else names:
        result = checks[name]()
        if inspect.iscoroutine(result):
            asyncio.run(result)
        print(name, "is right", flush=True)
