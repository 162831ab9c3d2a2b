"""Waits for a signal, which cannot be lost: `signalled.py NAME`. Says `waiting`, then `signalled` and the terminal's size;
reads a line, says whether the signal came again meanwhile, and ends with 9."""
import os, signal, sys

number = signal.Signals[sys.argv[1]]
signal.pthread_sigmask(signal.SIG_BLOCK, {number})
print("waiting", flush=True)
signal.sigwait({number})
print("signalled", *os.get_terminal_size(), flush=True)
line = sys.stdin.readline().strip()
print("got", line, "twice" if number in signal.sigpending() else "once")
sys.exit(9)
