import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.WindowStore;

/**
 * {@code BROKER STATE_DIRECTORY NAME=SETTING…}: the application of {@code suites/stream-java.ts} as Kafka Streams
 * runs it, with the names that ours gives. It is told by lines: {@code dump} prints what its stores
 * hold, {@code stop} ends it, leaving the group at once.
 */
final class StreamsShared {
  private static final Serde<String> TEXT = Serdes.String();
  private static final Serde<Long> LONG = Serdes.Long();
  private static final Duration WINDOW = Duration.ofSeconds(1);
  private static final Duration GRACE = Duration.ofDays(1);

  private StreamsShared() {}

  public static void main(String[] args) throws Exception {
    var streams = new KafkaStreams(topology(), config(args));
    streams.setStateListener((now, before) -> say("state " + now));
    streams.setUncaughtExceptionHandler(error -> {
      say("error " + error.toString().replace('\n', ' '));
      return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    streams.start();
    var commands = new BufferedReader(new InputStreamReader(System.in));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      if (line.equals("stop")) break;
      dump(streams);
    }
    streams.close(CloseOptions.timeout(Duration.ofSeconds(20))
        .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
    Runtime.getRuntime().halt(0);
  }

  private static synchronized void say(String line) {
    System.out.println(line);
    System.out.flush();
  }

  private static Topology topology() {
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, String> sales =
        builder.stream("sales", Consumed.with(TEXT, TEXT)).peek((till, product) -> slow());
    KGroupedStream<String, String> byProduct =
        sales.groupBy((till, product) -> product, Grouped.with("by-product", TEXT, TEXT));
    byProduct
        .count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts")
            .withKeySerde(TEXT).withValueSerde(LONG))
        .toStream()
        .to("totals", Produced.with(TEXT, LONG));
    byProduct
        .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
        .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("seconds")
            .withKeySerde(TEXT).withValueSerde(LONG))
        .toStream()
        .to("per-second", Produced.with(
            WindowedSerdes.timeWindowedSerdeFrom(String.class, WINDOW.toMillis()), LONG));
    KTable<String, String> names =
        builder.table("names", Consumed.with(TEXT, TEXT),
            Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as("names"));
    sales
        .map((till, product) -> new org.apache.kafka.streams.KeyValue<>(product, till))
        .join(names, (till, name) -> till + " sold " + name,
            Joined.with(TEXT, TEXT, TEXT, "naming"))
        .to("sold", Produced.with(TEXT, TEXT));
    sales
        .repartition(Repartitioned.with(TEXT, TEXT).withName("spread").withNumberOfPartitions(5))
        .to("copied", Produced.with(TEXT, TEXT));
    return builder.build();
  }

  /** So that there is time to kill it in the middle. */
  private static void slow() {
    try {
      Thread.sleep(1);
    } catch (InterruptedException ending) {
      Thread.currentThread().interrupt();
    }
  }

  private static Properties config(String[] args) {
    Properties config = new Properties();
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, "shop");
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    config.put(StreamsConfig.STATE_DIR_CONFIG, args[1]);
    config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, "0");
    config.put(StreamsConfig.consumerPrefix("max.poll.records"), "100");
    config.put(StreamsConfig.consumerPrefix("session.timeout.ms"), "3000");
    config.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), "300");
    config.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), "4000");
    for (int i = 2; i < args.length; i++) {
      String[] setting = args[i].split("=", 2);
      config.put(setting[0], setting[1]);
    }
    return config;
  }

  private static void dump(KafkaStreams streams) {
    var counts = streams.store(
        StoreQueryParameters.fromNameAndType("counts", QueryableStoreTypes.timestampedKeyValueStore()));
    try (var all = counts.all()) {
      all.forEachRemaining(entry ->
          say("counts " + entry.key + " " + entry.value.value() + " @" + entry.value.timestamp()));
    }
    var seconds = streams.store(
        StoreQueryParameters.fromNameAndType("seconds", QueryableStoreTypes.timestampedWindowStore()));
    try (var all = seconds.all()) {
      all.forEachRemaining(entry -> {
        var at = entry.key;
        say("seconds " + at.key() + " " + at.window().start() + " " + entry.value.value()
            + " @" + entry.value.timestamp());
      });
    }
    var names = streams.store(
        StoreQueryParameters.fromNameAndType("names", QueryableStoreTypes.timestampedKeyValueStore()));
    try (var all = names.all()) {
      all.forEachRemaining(entry ->
          say("names " + entry.key + " " + entry.value.value() + " @" + entry.value.timestamp()));
    }
    say("dumped");
  }
}
