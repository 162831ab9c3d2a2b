"""Clients that ask again and again: `loop.py URL EXPECTED CLIENTS`, until their input ends. They say how many requests
succeeded and how many failed for want of a connection; a response that is not the expected one is an error. Each line of
input is answered with `good` when every client has succeeded once more."""
import http.client, os, ssl, sys, threading, urllib.request

url, expected, clients = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
lock, good, failed, wrong, done = threading.Condition(), [0] * clients, [0], [], threading.Event()


def ask(client):
    while not done.is_set():
        try:
            with urllib.request.urlopen(url, timeout=20, context=context) as answer:
                body = answer.read().decode()
            if answer.status != 200 or body != expected:
                wrong.append(f"{answer.status} {body!r}")
            with lock:
                good[client] += 1
                lock.notify()
        except urllib.error.HTTPError as error:
            wrong.append(f"{error.code}")
        except http.client.IncompleteRead as error:
            failed[0] += 1
        except OSError:
            failed[0] += 1


threads = [threading.Thread(target=ask, args=(client,)) for client in range(clients)]
for thread in threads:
    thread.start()
for _ in sys.stdin:
    with lock:
        before = list(good)
        if not lock.wait_for(lambda: all(now > then for now, then in zip(good, before)), 20):
            wrong.append("some client is not served any more")
    print("good", flush=True)
done.set()
for thread in threads:
    thread.join()
print("good", sum(good), "failed", failed[0], "wrong", wrong, flush=True)
