import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * How many records a thread of Kafka Connect's classes takes from JSON, through transforms, to JSON:
 * a line of what to do, then the records; prints thousands of records a second, round by round.
 */
public class ConnectBench {
    public static void main(String[] args) throws Exception {
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        JsonNode plan = new ObjectMapper().readTree(in.readLine());
        long roundNanos = plan.get("roundMs").asLong() * 1_000_000;
        List<byte[]> values = new ArrayList<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            values.add(line.getBytes(StandardCharsets.UTF_8));
        }
        JsonConverter input = converter(plan);
        JsonConverter output = converter(plan);
        List<Transformation<SourceRecord>> chain = chain(plan.get("chain"));
        long bytes = 0;
        // The first two rounds warm up.
        for (int round = 0; round < 7; round++) {
            long start = System.nanoTime();
            long records = 0;
            while (System.nanoTime() - start < roundNanos) {
                for (byte[] value : values) bytes += one(value, input, chain, output);
                records += values.size();
            }
            double ms = (System.nanoTime() - start) / 1e6;
            if (round > 1) System.out.println(records / ms);
        }
        if (bytes == 0) throw new IllegalStateException("nothing was written");
    }

    private static int one(byte[] value, JsonConverter input,
                           List<Transformation<SourceRecord>> chain, JsonConverter output) {
        SchemaAndValue read = input.toConnectData("orders", value);
        SourceRecord record =
            new SourceRecord(null, null, "orders", null, null, null, read.schema(), read.value());
        for (Transformation<SourceRecord> transform : chain) record = transform.apply(record);
        return output.fromConnectData("orders", record.valueSchema(), record.value()).length;
    }

    private static JsonConverter converter(JsonNode plan) {
        JsonConverter converter = new JsonConverter();
        converter.configure(Map.of("schemas.enable", plan.get("schemas").asText()), false);
        return converter;
    }

    @SuppressWarnings("unchecked")
    private static List<Transformation<SourceRecord>> chain(JsonNode config) throws Exception {
        List<Transformation<SourceRecord>> chain = new ArrayList<>();
        if (!config.has("transforms")) return chain;
        for (String name : config.get("transforms").asText().split(",")) {
            String prefix = "transforms." + name + ".";
            Map<String, String> own = new HashMap<>();
            config.fields().forEachRemaining(e -> {
                if (e.getKey().startsWith(prefix)) {
                    own.put(e.getKey().substring(prefix.length()), e.getValue().asText());
                }
            });
            Class<?> type = Class.forName(own.get("type"));
            Transformation<SourceRecord> transform =
                (Transformation<SourceRecord>) type.getDeclaredConstructor().newInstance();
            transform.configure(own);
            chain.add(transform);
        }
        return chain;
    }
}
