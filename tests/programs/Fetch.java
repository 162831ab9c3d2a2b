import java.net.URL;

/** Fetches a URL with the defaults of the platform. */
public class Fetch {
    public static void main(String[] arguments) throws Exception {
        try (var body = new URL(arguments[0]).openStream()) {
            body.transferTo(System.out);
        }
    }
}
