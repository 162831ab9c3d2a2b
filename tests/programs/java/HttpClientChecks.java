import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Java's HttpClient: {@code HttpClientChecks VERSION CHECK…} runs these checks over HTTP/1.1 or HTTP/2, says which is
 * right, and stops at the first that is not.
 */
public class HttpClientChecks {
    private static final String ORIGIN = "https://node.test";
    private static HttpClient client;
    private static HttpClient.Version version;

    public static void main(String[] arguments) throws Exception {
        version = arguments[0].equals("2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1;
        client = HttpClient.newBuilder().version(version).build();
        Map<String, Callable<Void>> checks = Map.of(
            "bytes_arrive", HttpClientChecks::bytesArrive,
            "response_streams", HttpClientChecks::responseStreams,
            "request_streams", HttpClientChecks::requestStreams,
            "requests_run_beside_one_another", HttpClientChecks::requestsRunBesideOneAnother,
            "a_websocket_talks", HttpClientChecks::websocketTalks);
        for (int at = 1; at < arguments.length; at++) {
            checks.get(arguments[at]).call();
            System.out.println(arguments[at] + " is right");
        }
        System.exit(0);
    }

    private static void check(Object got, Object expected) {
        if (!got.equals(expected)) {
            throw new AssertionError("expected " + expected + ", got " + got);
        }
    }

    private static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(ORIGIN + path));
    }

    private static String ask(String path) {
        try {
            return client.send(request(path).build(), BodyHandlers.ofString()).body();
        } catch (IOException | InterruptedException error) {
            throw new AssertionError(path, error);
        }
    }

    private static byte[] blob() {
        var blob = new byte[3 << 20];
        for (int at = 0; at < blob.length; at++) {
            blob[at] = (byte) (at % 251);
        }
        return blob;
    }

    private static Void bytesArrive() throws Exception {
        HttpResponse<String> hello = client.send(request("/hello").build(), BodyHandlers.ofString());
        check(List.of(hello.statusCode(), hello.body(), hello.version()), List.of(200, "hello\n", version));
        check(hello.headers().firstValue("x-version").get(), version == HttpClient.Version.HTTP_2 ? "2.0" : "1.1");
        byte[] got = client.send(request("/blob").build(), BodyHandlers.ofByteArray()).body();
        check(java.util.Arrays.equals(got, blob()), true);
        var upload = request("/sum").POST(BodyPublishers.ofByteArray(blob())).build();
        String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(blob()));
        check(client.send(upload, BodyHandlers.ofString()).body(), digest + "\n");
        return null;
    }

    private static Void responseStreams() throws Exception {
        String gate = UUID.randomUUID().toString();
        InputStream body = client.send(request("/stream?gate=" + gate).build(), BodyHandlers.ofInputStream()).body();
        var lines = new BufferedReader(new InputStreamReader(body));
        check(lines.readLine(), "one");
        ask("/open?gate=" + gate);
        check(lines.readLine(), "two");
        check(lines.read(), -1);
        return null;
    }

    private static Void requestStreams() throws Exception {
        String gate = UUID.randomUUID().toString();
        Iterable<byte[]> pieces = () -> new Iterator<>() {
            private int next = 0;

            @Override
            public boolean hasNext() {
                return next < 2;
            }

            @Override
            public byte[] next() {
                next++;
                if (next == 2) {
                    // The server has the first piece while this request has not ended.
                    check(HttpClientChecks.elsewhere("/wait?gate=" + gate), "one");
                }
                return (next == 1 ? "one" : "two").getBytes();
            }
        };
        var upload = request("/collect?gate=" + gate).POST(BodyPublishers.ofByteArrays(pieces)).build();
        check(client.send(upload, BodyHandlers.ofString()).body(), "onetwo");
        return null;
    }

    /** Asks over a connection of its own: the client's thread is busy with the body. */
    private static String elsewhere(String path) {
        try (var body = URI.create(ORIGIN + path).toURL().openStream()) {
            var bytes = new ByteArrayOutputStream();
            body.transferTo(bytes);
            return bytes.toString();
        } catch (IOException error) {
            throw new AssertionError(path, error);
        }
    }

    /** Twenty responses are half here before any goes on. */
    private static Void requestsRunBesideOneAnother() throws Exception {
        var readers = new ArrayList<Map.Entry<String, BufferedReader>>();
        for (int number = 0; number < 20; number++) {
            String gate = UUID.randomUUID().toString();
            var response = client.send(request("/stream?gate=" + gate).build(), BodyHandlers.ofInputStream());
            var reader = new BufferedReader(new InputStreamReader(response.body()));
            check(reader.readLine(), "one");
            readers.add(Map.entry(gate, reader));
        }
        for (var reader : readers) {
            ask("/open?gate=" + reader.getKey());
            check(reader.getValue().readLine(), "two");
        }
        return null;
    }

    private static Void websocketTalks() throws Exception {
        var said = new LinkedBlockingQueue<String>();
        var listener = new WebSocket.Listener() {
            private final StringBuilder message = new StringBuilder();

            @Override
            public CompletionStage<?> onText(WebSocket socket, CharSequence piece, boolean last) {
                message.append(piece);
                if (last) {
                    said.add(message.toString());
                    message.setLength(0);
                }
                socket.request(1);
                return null;
            }

            @Override
            public CompletionStage<?> onPong(WebSocket socket, ByteBuffer data) {
                said.add("pong " + new String(data.array(), data.arrayOffset() + data.position(), data.remaining()));
                socket.request(1);
                return null;
            }

            @Override
            public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
                said.add(code + " " + reason);
                return CompletableFuture.completedStage(null);
            }
        };
        var building = client.newWebSocketBuilder().subprotocols("lab").buildAsync(URI.create("wss://node.test/ws"), listener);
        WebSocket socket = building.get(20, TimeUnit.SECONDS);
        check(socket.getSubprotocol(), "lab");
        socket.sendText("in two ", false).get();
        socket.sendText("fragments", true).get();
        check(said.poll(20, TimeUnit.SECONDS), "in two fragments");
        socket.sendPing(ByteBuffer.wrap("here".getBytes())).get();
        check(said.poll(20, TimeUnit.SECONDS), "pong here");
        socket.sendText("ping", true).get();
        check(said.poll(20, TimeUnit.SECONDS), "pong from the server");
        socket.sendText("close", true).get();
        check(said.poll(20, TimeUnit.SECONDS), "4001 as asked");
        return null;
    }
}
