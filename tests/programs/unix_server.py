"""Listens on a Unix socket at a path until its standard input ends. usage: unix_server.py PATH"""
import os, socket, sys

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
server.listen()
print("ready", flush=True)
sys.stdin.read()
