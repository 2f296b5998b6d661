import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.BranchedKStream;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KGroupedTable;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.KeyValueMapper;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Predicate;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TableJoined;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.test.TestRecord;

/**
 * What Kafka Streams makes of records: a case per line of JSON on standard input, an answer per line on
 * standard output. A case is a topology of named steps over text keys and values, whose functions are
 * known by name here and in functions.ts, and its inputs in order. An answer has all that was written,
 * by topic.
 */
@SuppressWarnings({"rawtypes", "unchecked"})
public class StreamsOracle {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final StreamsBuilder builder = new StreamsBuilder();
    private final Map<String, Object> made = new HashMap<>();

    public static void main(String[] args) throws Exception {
        String dir = Files.createTempDirectory("streams-oracle").toString();
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer;
            try {
                answer = new StreamsOracle().answer(MAPPER.readTree(line), dir);
            } catch (Throwable e) {
                Throwable cause = e;
                while (cause.getCause() != null) cause = cause.getCause();
                answer = MAPPER.createObjectNode().put("error", e + ": " + cause);
                // What the case has opened there stays open.
                dir = Files.createTempDirectory("streams-oracle").toString();
            }
            out.println(MAPPER.writeValueAsString(answer));
        }
        out.flush();
    }

    private ObjectNode answer(JsonNode test, String dir) {
        for (JsonNode step : test.get("steps")) made.put(text(step, "id"), step(step));
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "app");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "none:1");
        config.put(StreamsConfig.STATE_DIR_CONFIG, dir);
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__",
            test.get("joinEmitIntervalMs").asLong());
        config.put("__emit.interval.ms.kstreams.windowed.aggregation__", "500");
        ObjectNode topics = MAPPER.createObjectNode();
        try (TopologyTestDriver driver =
                new TopologyTestDriver(builder.build(), config, Instant.ofEpochMilli(0))) {
            Map<String, TestInputTopic<String, String>> inputs = new HashMap<>();
            for (JsonNode input : test.get("inputs")) {
                inputs.computeIfAbsent(text(input, "topic"), name ->
                    driver.createInputTopic(name, new StringSerializer(), new StringSerializer()))
                    .pipeInput(new TestRecord<>(text(input, "key"), text(input, "value"),
                        Instant.ofEpochMilli(input.get("timestampMs").asLong())));
                if (input.has("waitMs")) driver.advanceWallClockTime(millis(input, "waitMs"));
            }
            for (String name : new TreeSet<>(driver.producedTopicNames())) {
                ArrayNode records = topics.putArray(name);
                TestOutputTopic<byte[], byte[]> topic = driver.createOutputTopic(
                    name, new ByteArrayDeserializer(), new ByteArrayDeserializer());
                for (TestRecord<byte[], byte[]> record : topic.readRecordsToList()) {
                    records.addArray().add(hex(record.key())).add(hex(record.value()))
                        .add(record.timestamp());
                }
            }
        }
        ObjectNode answer = MAPPER.createObjectNode();
        answer.set("topics", topics);
        return answer;
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? null : java.util.HexFormat.of().formatHex(bytes);
    }

    private static String text(JsonNode node, String field) {
        JsonNode value = node.get(field);
        return value == null || value.isNull() ? null : value.asText();
    }

    private KStream<String, String> stream(JsonNode step, String field) {
        return (KStream<String, String>) made.get(text(step, field));
    }

    private KTable<String, String> table(JsonNode step, String field) {
        return (KTable<String, String>) made.get(text(step, field));
    }

    private static ValueJoiner<String, String, String> joiner(String fn) {
        return (left, right) -> joined(fn, left, right);
    }

    static String joined(String fn, String left, String right) {
        switch (fn) {
            case "both": return left + "|" + right;
            case "left": return left;
            case "null-if-b": return left != null && left.contains("b") ? null : left + "|" + right;
            default: throw new IllegalArgumentException(fn);
        }
    }

    private Object step(JsonNode step) {
        String fn = text(step, "fn");
        String name = text(step, "name");
        switch (text(step, "op")) {
            case "stream":
                return builder.stream(text(step, "topic"));
            case "streamSeveral":
                return builder.stream(List.of(text(step, "topic"), text(step, "topic") + "-too"));
            case "table":
                return builder.table(text(step, "topic"), store(step));
            case "filter":
                return stream(step, "of").filter((k, v) -> holds(fn, k, v));
            case "filterNot":
                return stream(step, "of").filterNot((k, v) -> holds(fn, k, v));
            case "map":
                return stream(step, "of").map((k, v) -> KeyValue.pair(keyOf(fn, k, v), v));
            case "mapValues":
                return stream(step, "of").mapValues((k, v) -> mapped(fn, k, v));
            case "flatMap":
                return stream(step, "of").flatMap((k, v) -> {
                    List<KeyValue<String, String>> all = new ArrayList<>();
                    for (String each : several(fn, v)) all.add(KeyValue.pair(each, v));
                    return all;
                });
            case "flatMapValues":
                return stream(step, "of").flatMapValues(v -> several(fn, v));
            case "selectKey":
                return stream(step, "of").selectKey((k, v) -> keyOf(fn, k, v));
            case "merge":
                return stream(step, "of").merge(stream(step, "with"));
            case "split": {
                BranchedKStream<String, String> branches = stream(step, "of").split();
                String id = text(step, "id");
                Predicate<String, String> takes = (k, v) -> holds(fn, k, v);
                branches.branch(takes, Branched.withConsumer(s -> made.put(id + ".yes", s)));
                branches.defaultBranch(Branched.withConsumer(s -> made.put(id + ".no", s)));
                return branches;
            }
            case "splitTwo": {
                BranchedKStream<String, String> branches = stream(step, "of").split();
                String id = text(step, "id");
                String second = text(step, "keyFn");
                branches.branch((k, v) -> holds(fn, k, v),
                    Branched.withConsumer(s -> made.put(id + ".yes", s)));
                branches.branch((k, v) -> holds(second, k, v),
                    Branched.withConsumer(s -> made.put(id + ".no", s)));
                branches.noDefaultBranch();
                return branches;
            }
            case "repartition":
                return stream(step, "of").repartition(Repartitioned.as(name));
            case "groupByKey":
                return stream(step, "of").groupByKey(Grouped.as(name));
            case "groupBy":
                return stream(step, "of").groupBy((k, v) -> keyOf(fn, k, v), Grouped.as(name));
            case "count": {
                KTable<String, Long> counts = grouped(step).count(Materialized.as(name));
                return counts.toStream().mapValues(v -> v == null ? null : v.toString());
            }
            case "reduce":
                return grouped(step).reduce((a, v) -> added(fn, a, v), store(step));
            case "aggregate":
                return grouped(step).aggregate(() -> "", (k, v, a) -> added(fn, a, k + v), store(step));
            case "tableFilter":
                return name == null ? table(step, "of").filter((k, v) -> holds(fn, k, v))
                    : table(step, "of").filter((k, v) -> holds(fn, k, v), store(step));
            case "tableFilterNot":
                return name == null ? table(step, "of").filterNot((k, v) -> holds(fn, k, v))
                    : table(step, "of").filterNot((k, v) -> holds(fn, k, v), store(step));
            case "tableMapValues":
                return name == null ? table(step, "of").mapValues((k, v) -> mapped(fn, k, v))
                    : table(step, "of").mapValues((k, v) -> mapped(fn, k, v), store(step));
            case "tableJoin":
                return name == null ? table(step, "of").join(table(step, "with"), joiner(fn))
                    : table(step, "of").join(table(step, "with"), joiner(fn), store(step));
            case "tableLeftJoin":
                return name == null ? table(step, "of").leftJoin(table(step, "with"), joiner(fn))
                    : table(step, "of").leftJoin(table(step, "with"), joiner(fn), store(step));
            case "tableOuterJoin":
                return name == null ? table(step, "of").outerJoin(table(step, "with"), joiner(fn))
                    : table(step, "of").outerJoin(table(step, "with"), joiner(fn), store(step));
            case "tableGroupBy":
                return table(step, "of").groupBy(
                    (k, v) -> KeyValue.pair(keyOf(fn, k, v), v), Grouped.as(name));
            case "groupCount": {
                KTable<String, Long> counts = groupedTable(step).count(Materialized.as(name));
                return counts.toStream().mapValues(v -> v == null ? null : v.toString());
            }
            case "groupReduce":
                return groupedTable(step).reduce((a, v) -> added(fn, a, v),
                    (a, v) -> removed(fn, a, v), store(step));
            case "groupAggregate":
                return groupedTable(step).aggregate(() -> "", (k, v, a) -> added(fn, a, k + v),
                    (k, v, a) -> removed(fn, a, k + v), store(step));
            case "toStream":
                return ((KTable<String, String>) made.get(text(step, "of"))).toStream();
            case "to":
                stream(step, "of").to(text(step, "topic"));
                return "nothing";
            case "foreignJoin":
                return name == null
                    ? table(step, "of").join(table(step, "with"), foreignKey(step), joiner(fn),
                        TableJoined.as(text(step, "id")))
                    : table(step, "of").join(table(step, "with"), foreignKey(step), joiner(fn),
                        TableJoined.as(text(step, "id")), store(step));
            case "foreignLeftJoin":
                return name == null
                    ? table(step, "of").leftJoin(table(step, "with"), foreignKey(step), joiner(fn),
                        TableJoined.as(text(step, "id")))
                    : table(step, "of").leftJoin(table(step, "with"), foreignKey(step), joiner(fn),
                        TableJoined.as(text(step, "id")), store(step));
            case "globalTable":
                return builder.globalTable(text(step, "topic"), store(name));
            case "streamJoin":
                return stream(step, "of").join(stream(step, "with"), joiner(fn), joinWindows(step),
                    streamJoined(name));
            case "streamLeftJoin":
                return stream(step, "of").leftJoin(stream(step, "with"), joiner(fn), joinWindows(step),
                    streamJoined(name));
            case "streamOuterJoin":
                return stream(step, "of").outerJoin(stream(step, "with"), joiner(fn), joinWindows(step),
                    streamJoined(name));
            case "joinTable":
                return stream(step, "of").join(table(step, "with"), joiner(fn), joinedBy(step));
            case "leftJoinTable":
                return stream(step, "of").leftJoin(table(step, "with"), joiner(fn), joinedBy(step));
            case "joinGlobal":
                return stream(step, "of").join(globalTable(step), globalKey(step), joiner(fn));
            case "leftJoinGlobal":
                return stream(step, "of").leftJoin(globalTable(step), globalKey(step), joiner(fn));
            default: {
                Object found = new StreamsWindows(made).step(step);
                if (found == null) found = new StreamsProcessors(builder, made).step(step);
                if (found == null) throw new IllegalArgumentException(text(step, "op"));
                return found;
            }
        }
    }

    private static JoinWindows joinWindows(JsonNode step) {
        return JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(1000), millis(step, "graceMs"))
            .before(millis(step, "beforeMs")).after(millis(step, "afterMs"));
    }

    private static Joined<String, String, String> joinedBy(JsonNode step) {
        Joined<String, String, String> joined = Joined.as(text(step, "name"));
        return step.has("graceMs") ? joined.withGracePeriod(millis(step, "graceMs")) : joined;
    }

    private static StreamJoined<String, String, String> streamJoined(String name) {
        return StreamJoined.<String, String, String>as(name).withName(name);
    }

    private GlobalKTable<String, String> globalTable(JsonNode step) {
        return (GlobalKTable<String, String>) made.get(text(step, "with"));
    }

    private static java.util.function.BiFunction<String, String, String> foreignKey(JsonNode step) {
        String fn = text(step, "keyFn");
        return (k, v) -> keyOf(fn, k, v);
    }

    private static KeyValueMapper<String, String, String> globalKey(JsonNode step) {
        String fn = text(step, "keyFn");
        return (k, v) -> keyOf(fn, k, v);
    }

    private KGroupedStream<String, String> grouped(JsonNode step) {
        return (KGroupedStream<String, String>) made.get(text(step, "of"));
    }

    private static Duration millis(JsonNode step, String field) {
        return Duration.ofMillis(step.get(field).asLong());
    }

    private KGroupedTable<String, String> groupedTable(JsonNode step) {
        return (KGroupedTable<String, String>) made.get(text(step, "of"));
    }

    private static String removed(String fn, String aggregate, String value) {
        switch (fn) {
            case "concat": return aggregate + "-" + value;
            case "last": return null;
            case "null-if-b": return value.contains("b") ? null : aggregate;
            default: throw new IllegalArgumentException(fn);
        }
    }

    static Materialized<String, String, KeyValueStore<Bytes, byte[]>> store(JsonNode step) {
        if (!step.has("historyMs")) return cached(step, store(text(step, "name")));
        return Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore(
            text(step, "name"), millis(step, "historyMs")))
            .withKeySerde(Serdes.String()).withValueSerde(Serdes.String());
    }

    static <M extends Materialized> M cached(JsonNode step, M materialized) {
        return step.has("uncached") ? (M) materialized.withCachingDisabled() : materialized;
    }

    private static Materialized<String, String, KeyValueStore<Bytes, byte[]>> store(String name) {
        return Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as(name)
            .withKeySerde(Serdes.String()).withValueSerde(Serdes.String());
    }

    static boolean holds(String fn, String key, String value) {
        switch (fn) {
            case "long": return value != null && value.length() > 2;
            case "keyed": return key != null;
            case "has-b": return value != null && value.contains("b");
            case "never": return false;
            default: throw new IllegalArgumentException(fn);
        }
    }

    static String keyOf(String fn, String key, String value) {
        switch (fn) {
            case "first": return value == null || value.isEmpty() ? null : value.substring(0, 1);
            case "same": return key;
            case "value": return value;
            case "one": return "one";
            default: throw new IllegalArgumentException(fn);
        }
    }

    static String mapped(String fn, String key, String value) {
        switch (fn) {
            case "upper": return value == null ? null : value.toUpperCase();
            case "with-key": return key + "/" + value;
            case "null-if-b": return value == null || value.contains("b") ? null : value;
            default: throw new IllegalArgumentException(fn);
        }
    }

    private static List<String> several(String fn, String value) {
        switch (fn) {
            case "none": return List.of();
            case "twice": return value == null ? List.of() : List.of(value, value + "!");
            case "letters": {
                List<String> letters = new ArrayList<>();
                if (value != null) for (char c : value.toCharArray()) letters.add(String.valueOf(c));
                return letters;
            }
            default: throw new IllegalArgumentException(fn);
        }
    }

    static String added(String fn, String aggregate, String value) {
        switch (fn) {
            case "concat": return aggregate + "+" + value;
            case "last": return value;
            case "null-if-b": return value.contains("b") ? null : aggregate + value;
            default: throw new IllegalArgumentException(fn);
        }
    }
}
