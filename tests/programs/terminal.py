"""Runs a command on a pseudoterminal of 40 by 100 and does what its user would: `terminal.py DOING CMD...`. Copies
what the terminal shows, and ends with the command's status."""
import fcntl, os, pty, signal, struct, sys, termios

doing, argv = sys.argv[1], sys.argv[2:]


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


pid, master = pty.fork()
if pid == 0:
    resize(0, 40, 100)
    # A shell that ran this in the background had it ignored, and what is ignored stays so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(argv[0], argv)

shown, done = b"", False
while True:
    try:
        data = os.read(master, 65536)
    except OSError:
        break
    if not data:
        break
    shown += data
    os.write(1, data)
    if b"waiting" in shown and not done:
        done = True
        if doing == "interrupt":
            os.write(master, b"\x03")
        if doing == "resize":
            resize(master, 50, 120)
        os.write(master, b"hello\n")
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
