import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/** {@code BROKER APPLICATION_ID CASE STATE_DIRECTORY GUARANTEE COMMIT_MS}: a case of bench/streams.ts. */
final class StreamsBench {
  private static final Serde<String> TEXT = Serdes.String();
  private static final Serde<Long> LONG = Serdes.Long();

  private StreamsBench() {}

  public static void main(String[] args) {
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, String> in = builder.stream("in", Consumed.with(TEXT, TEXT));
    switch (args[2]) {
      case "map" ->
          in.filter((key, value) -> value.length() > 3)
              .mapValues(value -> value.substring(1))
              .to("out", Produced.with(TEXT, TEXT));
      case "count" ->
          in.groupByKey(Grouped.with(TEXT, TEXT))
              .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts")
                  .withKeySerde(TEXT).withValueSerde(LONG))
              .toStream().to("out", Produced.with(TEXT, LONG));
      case "window" ->
          in.groupByKey(Grouped.with(TEXT, TEXT))
              .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(1)))
              .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("minutes")
                  .withKeySerde(TEXT).withValueSerde(LONG))
              .toStream()
              .to("out", Produced.with(
                  WindowedSerdes.timeWindowedSerdeFrom(String.class, 60_000), LONG));
      case "join" ->
          in.join(
                  builder.table("table", Consumed.with(TEXT, TEXT),
                      Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as("table")),
                  (value, row) -> value + row, Joined.with(TEXT, TEXT, TEXT))
              .to("out", Produced.with(TEXT, TEXT));
      default -> throw new IllegalArgumentException(args[2]);
    }
    Properties config = new Properties();
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    config.put(StreamsConfig.STATE_DIR_CONFIG, args[3]);
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[4]);
    config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[5]);
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, "1");
    new KafkaStreams(builder.build(), config).start();
  }
}
