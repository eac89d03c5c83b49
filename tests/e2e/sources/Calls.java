// A user's program with Java's own client: waiting, not waiting, and line by line. It knows nothing of a proxy.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.stream.Stream;

public class Calls {
    static HttpRequest asking(String word, boolean stream) {
        String body = "{\"model\":\"gpt-4o-mini\"," + (stream ? "\"stream\":true," : "")
            + "\"messages\":[{\"role\":\"user\",\"content\":\"" + word + "\"}]}";
        return HttpRequest.newBuilder(URI.create("https://api.openai.com/v1/chat/completions"))
            .header("content-type", "application/json").header("authorization", "Bearer test-key")
            .POST(HttpRequest.BodyPublishers.ofString(body)).build();
    }

    static int tell(HttpResponse<?> reply, Object body) {
        System.out.println(reply.statusCode() + " " + body);
        return reply.statusCode() == 200 ? 0 : 3;
    }

    public static void main(String[] words) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpResponse<String> waited = client.send(asking(words[0] + " sync", false), BodyHandlers.ofString());
        int code = tell(waited, waited.body());
        HttpResponse<String> later =
            client.sendAsync(asking(words[0] + " async", false), BodyHandlers.ofString()).join();
        code |= tell(later, later.body());
        HttpResponse<Stream<String>> lines = client.send(asking(words[0], true), BodyHandlers.ofLines());
        code |= tell(lines, lines.body().toList());
        System.exit(code);
    }
}
