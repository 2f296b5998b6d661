import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.ValueTransformerWithKey;
import org.apache.kafka.streams.kstream.ValueTransformerWithKeySupplier;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.ProcessorContext;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Steps of an application's own for StreamsOracle: what processor-steps.ts does with our engine. */
@SuppressWarnings({"rawtypes", "unchecked"})
class StreamsProcessors {
    private static final long EVERY_MS = 100;

    private final StreamsBuilder builder;
    private final Map<String, Object> made;

    StreamsProcessors(StreamsBuilder builder, Map<String, Object> made) {
        this.builder = builder;
        this.made = made;
    }

    /** Null: the step is none of these. */
    Object step(JsonNode step) {
        String fn = text(step, "fn");
        String name = text(step, "name");
        String store = text(step, "id") + "-seen";
        Object of = made.get(text(step, "of"));
        KStream<String, String> stream = of instanceof KStream ? (KStream<String, String>) of : null;
        switch (text(step, "op")) {
            case "process":
                builder.addStateStore(store(store));
                return stream.process(() -> new Counting(store, fn, step.has("ticks") ? PunctuationType.STREAM_TIME
                    : step.has("wallTicks") ? PunctuationType.WALL_CLOCK_TIME : null), Named.as(text(step, "id")), store);
            case "processValues":
                builder.addStateStore(store(store));
                return stream.processValues(() -> new CountingValues(store), store);
            case "processGlobal": {
                String global = text(step, "with") + "-global";
                return stream.processValues(() -> new Looking(global, fn));
            }
            case "globalStore":
                return builder.addGlobalStore(store(text(step, "id") + "-global").withLoggingDisabled(),
                    text(step, "topic"), Consumed.with(Serdes.String(), Serdes.String()),
                    () -> new Filling(text(step, "id") + "-global"));
            case "peek":
                return stream.peek((k, v) -> { });
            case "toTable":
                return stream.toTable(Named.as(name), StreamsOracle.store(step));
            case "toDynamic":
                stream.to((k, v, context) -> "dynamic-" + StreamsOracle.keyOf("first", k, v),
                    Produced.with(Serdes.String(), Serdes.String()));
                return "nothing";
            case "toStreamKeyed":
                return ((KTable<String, String>) of).toStream((k, v) -> StreamsOracle.keyOf(fn, k, v));
            case "streamPattern":
                return builder.stream(Pattern.compile(text(step, "topic") + "-.*"));
            case "tableTransformValues":
                return transformed(step, (KTable<String, String>) of, store);
            default:
                return null;
        }
    }

    private KTable<String, String> transformed(JsonNode step, KTable<String, String> table, String store) {
        String fn = text(step, "fn");
        if (!step.has("name")) return table.transformValues(() -> new Transforming(fn, null));
        if (!fn.equals("counted")) {
            return table.transformValues(() -> new Transforming(fn, null), StreamsOracle.store(step));
        }
        builder.addStateStore(store(store));
        return table.transformValues(() -> new Transforming(fn, store), StreamsOracle.store(step), store);
    }

    private static StoreBuilder<KeyValueStore<String, String>> store(String name) {
        return Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(name), Serdes.String(), Serdes.String());
    }

    private static String countOf(KeyValueStore<String, String> seen, String key) {
        String before = seen.get(key);
        String now = Integer.toString(before == null ? 1 : Integer.parseInt(before) + 1);
        seen.put(key, now);
        return now;
    }

    /** Counts what comes of a key; every so often, as stream time passes, it says what there is. */
    private static class Counting extends ContextualProcessor<String, String, String, String> {
        private final String store;
        private final String fn;
        private final PunctuationType ticks;

        Counting(String store, String fn, PunctuationType ticks) {
            this.store = store;
            this.fn = fn;
            this.ticks = ticks;
        }

        @Override
        public void init(org.apache.kafka.streams.processor.api.ProcessorContext<String, String> context) {
            super.init(context);
            KeyValueStore<String, String> seen = context.getStateStore(store);
            if (ticks == null) return;
            context.schedule(Duration.ofMillis(EVERY_MS), ticks, timeMs -> {
                try (KeyValueIterator<String, String> all = seen.all()) {
                    while (all.hasNext()) {
                        KeyValue<String, String> each = all.next();
                        context.forward(new Record<>(each.key, "=" + each.value, timeMs));
                    }
                }
            });
        }

        @Override
        public void process(Record<String, String> record) {
            KeyValueStore<String, String> seen = context().getStateStore(store);
            if (record.key() == null) return;
            String count = countOf(seen, record.key());
            context().forward(record.withKey(StreamsOracle.keyOf(fn, record.key(), record.value()))
                .withValue(record.value() + "#" + count));
        }
    }

    private static class CountingValues extends ContextualFixedKeyProcessor<String, String, String> {
        private final String store;

        CountingValues(String store) {
            this.store = store;
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            if (record.key() == null) return;
            KeyValueStore<String, String> seen = context().getStateStore(store);
            context().forward(record.withValue(record.value() + "#" + countOf(seen, record.key())));
        }
    }

    /** Fills a global store. */
    private static class Filling implements Processor<String, String, Void, Void> {
        private final String store;
        private KeyValueStore<String, String> values;

        Filling(String store) {
            this.store = store;
        }

        @Override
        public void init(org.apache.kafka.streams.processor.api.ProcessorContext<Void, Void> context) {
            values = context.getStateStore(store);
        }

        @Override
        public void process(Record<String, String> record) {
            if (record.key() == null) return;
            String before = values.get(record.key());
            values.put(record.key(), (before == null ? "" : before) + record.value());
        }
    }

    /** Looks into a global store. */
    private static class Looking extends ContextualFixedKeyProcessor<String, String, String> {
        private final String store;
        private final String fn;

        Looking(String store, String fn) {
            this.store = store;
            this.fn = fn;
        }

        @Override
        public void process(FixedKeyRecord<String, String> record) {
            Object all = context().getStateStore(store);
            String key = StreamsOracle.keyOf(fn, record.key(), record.value());
            String found = key == null ? null
                : ((org.apache.kafka.streams.state.ReadOnlyKeyValueStore<String, String>) all).get(key);
            context().forward(record.withValue(record.value() + "~" + found));
        }
    }

    private static class Transforming implements ValueTransformerWithKey<String, String, String> {
        private final String fn;
        private final String store;
        private ProcessorContext context;

        Transforming(String fn, String store) {
            this.fn = fn;
            this.store = store;
        }

        @Override
        public void init(ProcessorContext context) {
            this.context = context;
        }

        @Override
        public String transform(String key, String value) {
            switch (fn) {
                case "timed":
                    return value == null ? null : value + "@" + context.timestamp();
                case "counted":
                    return value == null || store == null ? value
                        : value + "#" + countOf(context.getStateStore(store), key);
                default:
                    return StreamsOracle.mapped(fn, key, value);
            }
        }

        @Override
        public void close() { }
    }

    private static String text(JsonNode node, String field) {
        JsonNode value = node.get(field);
        return value == null || value.isNull() ? null : value.asText();
    }
}
