import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.kstream.Aggregator;
import org.apache.kafka.streams.kstream.CogroupedKStream;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Merger;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Reducer;
import org.apache.kafka.streams.kstream.SessionWindowedKStream;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.SlidingWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindowedKStream;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.UnlimitedWindows;
import org.apache.kafka.streams.kstream.ValueJoiner;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** Steps of windows for StreamsOracle: what window-steps.ts does with our engine. */
@SuppressWarnings({"rawtypes", "unchecked"})
class StreamsWindows {
    private final Map<String, Object> made;

    StreamsWindows(Map<String, Object> made) {
        this.made = made;
    }

    /** Null: the step is none of windows. */
    Object step(JsonNode step) {
        String fn = text(step, "fn");
        String name = text(step, "name");
        Object of = made.get(text(step, "of"));
        KTable<Windowed<String>, String> table =
            of instanceof KTable ? (KTable<Windowed<String>, String>) of : null;
        String id = "keys of " + text(step, "id");
        if (text(step, "op").equals("windows")) {
            made.put(id, text(step, "windows").equals("session")
                ? WindowedSerdes.sessionWindowedSerdeFrom(String.class)
                : WindowedSerdes.timeWindowedSerdeFrom(String.class, isUnlimited(step)
                    ? Long.MAX_VALUE : step.get("sizeMs").asLong()));
        } else {
            made.put(id, made.get("keys of " + text(step, "of")));
        }
        Serde<Windowed<String>> keys = (Serde<Windowed<String>>) made.get(id);
        KTable<Windowed<String>, String> other = table == null || !step.has("with") ? null
            : (KTable<Windowed<String>, String>) made.get(text(step, "with"));
        ValueJoiner<String, String, String> joiner = (one, two) -> StreamsOracle.joined(fn, one, two);
        Materialized<Windowed<String>, String, KeyValueStore<Bytes, byte[]>> kept =
            name == null || keys == null ? null : StreamsOracle.cached(step, kept(name, keys));
        switch (text(step, "op")) {
            case "windows":
                return windows(step, (KGroupedStream<String, String>) of);
            case "windowJoin":
                return name == null ? table.join(other, joiner) : table.join(other, joiner, kept);
            case "windowLeftJoin":
                return name == null ? table.leftJoin(other, joiner) : table.leftJoin(other, joiner, kept);
            case "windowOuterJoin":
                return name == null ? table.outerJoin(other, joiner) : table.outerJoin(other, joiner, kept);
            case "windowRegroup":
                return table.toStream().groupByKey(Grouped.with(keys, Serdes.String()))
                    .reduce((a, v) -> StreamsOracle.added(fn, a, v), kept);
            case "windowTo":
                table.toStream().to(text(step, "topic"), Produced.with(keys, Serdes.String()));
                return "nothing";
            case "cogroup":
                return cogrouped(step).aggregate(() -> "", StreamsOracle.cached(step, plainStore(name)));
            case "cogroupWindows":
                return cogroupedWindows(step, cogrouped(step));
            case "windowFilter":
                return name == null
                    ? table.filter((k, v) -> StreamsOracle.holds(fn, k.key(), v))
                    : table.filter((k, v) -> StreamsOracle.holds(fn, k.key(), v), kept(name, keys));
            case "windowMapValues":
                return name == null
                    ? table.mapValues((k, v) -> StreamsOracle.mapped(fn, k.key(), v))
                    : table.mapValues((k, v) -> StreamsOracle.mapped(fn, k.key(), v), kept(name, keys));
            case "windowGroupBy":
                return table.groupBy((k, v) -> KeyValue.pair(k.key(), v),
                    Grouped.with(name, Serdes.String(), Serdes.String()));
            case "windowSuppress":
                return table.suppress(step.has("limitMs") ? limit(step)
                    : Suppressed.untilWindowCloses(strict(step)).withName(name));
            case "suppress":
                return ((KTable<String, String>) of).suppress(limit(step));
            case "windowText":
                return table.toStream().map((k, v) -> KeyValue.pair(
                    k.key() + "@" + k.window().start() + "-" + k.window().end(), v));
            default:
                return null;
        }
    }

    private KTable<Windowed<String>, String> windows(JsonNode step, KGroupedStream<String, String> group) {
        String fn = text(step, "fn");
        String name = text(step, "name");
        String by = text(step, "by");
        EmitStrategy emit = step.has("closes") ? EmitStrategy.onWindowClose()
            : EmitStrategy.onWindowUpdate();
        Reducer<String> reducer = (a, v) -> StreamsOracle.added(fn, a, v);
        if (text(step, "windows").equals("session")) {
            SessionWindowedKStream<String, String> stream =
                group.windowedBy(sessions(step)).emitStrategy(emit);
            switch (by) {
                case "count": {
                    KTable<Windowed<String>, Long> counts = stream.count(retained(step,
                        Materialized.<String, Long, SessionStore<Bytes, byte[]>>as(name)
                            .withKeySerde(Serdes.String())));
                    return counts.mapValues(v -> v.toString());
                }
                case "reduce":
                    return stream.reduce(reducer, retained(step, sessionStore(name)));
                default:
                    return stream.aggregate(() -> "", adder(fn), merger(fn), retained(step, sessionStore(name)));
            }
        }
        TimeWindowedKStream<String, String> stream = (text(step, "windows").equals("sliding")
            ? group.windowedBy(sliding(step)) : isUnlimited(step) ? group.windowedBy(unlimited(step))
            : group.windowedBy(times(step))).emitStrategy(emit);
        switch (by) {
            case "count": {
                KTable<Windowed<String>, Long> counts = stream.count(retained(step,
                    Materialized.<String, Long, WindowStore<Bytes, byte[]>>as(name)
                        .withKeySerde(Serdes.String())));
                return counts.mapValues(v -> v.toString());
            }
            case "reduce":
                return stream.reduce(reducer, retained(step, windowStore(name)));
            default:
                return stream.aggregate(() -> "", adder(fn), retained(step, windowStore(name)));
        }
    }

    /**
     * What is older than the retention is lost to Kafka, though it was not given on, and a session that a
     * late record joins is not told to be gone.
     */
    private static <M extends Materialized> M retained(JsonNode step, M materialized) {
        StreamsOracle.cached(step, materialized);
        if (step.has("closes") || text(step, "windows").equals("session")) {
            return (M) materialized.withRetention(Duration.ofDays(1));
        }
        if (!step.has("moreMs") || isUnlimited(step)) return materialized;
        long sizeMs = step.get("sizeMs").asLong();
        long least = text(step, "windows").equals("sliding") ? 2 * sizeMs : sizeMs;
        return (M) materialized.withRetention(Duration.ofMillis(
            least + step.get("graceMs").asLong() + 1 + step.get("moreMs").asLong()));
    }

    private CogroupedKStream<String, String> cogrouped(JsonNode step) {
        String fn = text(step, "fn");
        CogroupedKStream<String, String> all = null;
        int i = 0;
        for (JsonNode id : step.get("groups")) {
            KGroupedStream<String, String> group =
                (KGroupedStream<String, String>) made.get(id.asText());
            if (all == null) {
                all = group.cogroup(adder(fn));
            } else {
                String prefix = i++ + ":";
                all = all.cogroup(group, (k, v, a) -> StreamsOracle.added(fn, a, prefix + v));
            }
        }
        return all;
    }

    private KTable<Windowed<String>, String> cogroupedWindows(JsonNode step, CogroupedKStream<String, String> all) {
        String name = text(step, "name");
        switch (text(step, "windows")) {
            case "session":
                return all.windowedBy(sessions(step))
                    .aggregate(() -> "", merger(text(step, "fn")), retained(step, sessionStore(name)));
            case "sliding":
                return all.windowedBy(sliding(step)).aggregate(() -> "", forDays(name));
            case "unlimited":
                return all.windowedBy(unlimited(step)).aggregate(() -> "", windowStore(name));
            default:
                return all.windowedBy(times(step)).aggregate(() -> "", forDays(name));
        }
    }

    /**
     * Each stream has its own time, and the store that of all: what is too old for it but not for the stream is
     * found where it still is in Kafka's cache.
     */
    private static Materialized<String, String, WindowStore<Bytes, byte[]>> forDays(String name) {
        return windowStore(name).withRetention(Duration.ofDays(1));
    }

    private static Aggregator<String, String, String> adder(String fn) {
        return (k, v, a) -> StreamsOracle.added(fn, a, k + v);
    }

    private static Merger<String, String> merger(String fn) {
        return (k, one, other) -> StreamsOracle.added(fn, one, other);
    }

    private static Suppressed limit(JsonNode step) {
        Suppressed.BufferConfig bounds = step.has("isEager") ? bounded(step).emitEarlyWhenFull()
            : strict(step);
        return Suppressed.untilTimeLimit(millis(step, "limitMs"), bounds).withName(text(step, "name"));
    }

    private static Suppressed.StrictBufferConfig strict(JsonNode step) {
        return step.has("maxRecords") || step.has("maxBytes") ? bounded(step).shutDownWhenFull()
            : Suppressed.BufferConfig.unbounded();
    }

    private static Suppressed.BufferConfig<?> bounded(JsonNode step) {
        return step.has("maxRecords")
            ? Suppressed.BufferConfig.maxRecords(step.get("maxRecords").asLong())
            : Suppressed.BufferConfig.maxBytes(step.get("maxBytes").asLong());
    }

    private static SessionWindows sessions(JsonNode step) {
        return SessionWindows.ofInactivityGapAndGrace(millis(step, "sizeMs"), millis(step, "graceMs"));
    }

    private static boolean isUnlimited(JsonNode step) {
        return text(step, "windows").equals("unlimited");
    }

    private static UnlimitedWindows unlimited(JsonNode step) {
        return UnlimitedWindows.of().startOn(Instant.ofEpochMilli(step.get("sizeMs").asLong()));
    }

    private static SlidingWindows sliding(JsonNode step) {
        return SlidingWindows.ofTimeDifferenceAndGrace(millis(step, "sizeMs"), millis(step, "graceMs"));
    }

    private static TimeWindows times(JsonNode step) {
        return TimeWindows.ofSizeAndGrace(millis(step, "sizeMs"), millis(step, "graceMs"))
            .advanceBy(millis(step, "advanceMs"));
    }

    private static Materialized<String, String, KeyValueStore<Bytes, byte[]>> plainStore(String name) {
        return Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as(name)
            .withKeySerde(Serdes.String()).withValueSerde(Serdes.String());
    }

    private static Materialized<Windowed<String>, String, KeyValueStore<Bytes, byte[]>> kept(
            String name, Serde<Windowed<String>> keys) {
        return Materialized.<Windowed<String>, String, KeyValueStore<Bytes, byte[]>>as(name)
            .withKeySerde(keys).withValueSerde(Serdes.String());
    }

    private static Materialized<String, String, WindowStore<Bytes, byte[]>> windowStore(String name) {
        return Materialized.<String, String, WindowStore<Bytes, byte[]>>as(name)
            .withKeySerde(Serdes.String()).withValueSerde(Serdes.String());
    }

    private static Materialized<String, String, SessionStore<Bytes, byte[]>> sessionStore(String name) {
        return Materialized.<String, String, SessionStore<Bytes, byte[]>>as(name)
            .withKeySerde(Serdes.String()).withValueSerde(Serdes.String());
    }

    private static Duration millis(JsonNode step, String field) {
        return Duration.ofMillis(step.get(field).asLong());
    }

    private static String text(JsonNode node, String field) {
        JsonNode value = node.get(field);
        return value == null || value.isNull() ? null : value.asText();
    }
}
