import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.TimeWindows;

/**
 * A Kafka Streams application with exactly_once_v2 that may be killed at any time: {@code BROKER
 * fill LINES} (at once) or {@code BROKER feed LINES PER_SECOND} (the rest at once when it is sent a
 * line), {@code BROKER run LINES PROTOCOL STATE_DIRECTORY} (ends when all output is there) and {@code
 * BROKER verify LINES}. It counts words, counts them in windows and joins two streams, and
 * since nothing is cached, every update of a count has to be in the output exactly once, in order.
 */
final class StreamsApp {
  private static final int PARTITIONS = 3;
  private static final int WORDS = 3;
  private static final int LINE_INTERVAL_MS = 10;
  private static final Duration WINDOW = Duration.ofSeconds(2);
  private static final Duration GRACE = Duration.ofHours(24);
  private static final long FIRST_MS = 1_790_000_000_000L;
  private static final int SLOWED_MS = 2;

  private StreamsApp() {}

  public static void main(String[] args) throws Exception {
    Proof.connect(args[0]);
    int lines = Integer.parseInt(args[2]);
    switch (args[1]) {
      case "fill" -> fill(lines, () -> {});
      case "feed" -> fill(lines, pause(1000 / Integer.parseInt(args[3])));
      case "run" -> run(lines, args[3], args[4]);
      case "verify" -> verify(lines);
      default -> throw new IllegalArgumentException(args[1]);
    }
    System.out.println("done " + args[1]);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static String[] words(int line) {
    return new String[] {"a" + line % 7, "b" + line % 11, "c" + line % 13};
  }

  private static long timestampMs(int line) {
    return FIRST_MS + (long) line * LINE_INTERVAL_MS;
  }

  /** Waits, until this process has been told something. */
  private static Proof.Scenario pause(int milliseconds) {
    return () -> {
      if (System.in.available() == 0) Thread.sleep(milliseconds);
    };
  }

  private static void fill(int lines, Proof.Scenario pause) throws Exception {
    for (String topic : List.of("lines", "tags", "counts", "windows", "joined")) {
      Proof.topic(topic, PARTITIONS);
    }
    System.out.println("topics");
    AtomicReference<Exception> failure = new AtomicReference<>();
    try (var producer = Proof.producer("linger.ms", "20", "max.block.ms", "120000")) {
      for (int line = 0; line < lines; line++) {
        String key = "k" + line;
        long at = timestampMs(line);
        String text = String.join(" ", words(line));
        Callback check = (metadata, error) -> failure.compareAndSet(null, error);
        producer.send(new ProducerRecord<>("lines", null, at, key, text), check);
        producer.send(new ProducerRecord<>("tags", null, at, key, String.valueOf(line)), check);
        pause.run();
      }
    }
    if (failure.get() != null) throw failure.get();
  }

  private static Topology topology() {
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, String> lines = builder.stream("lines");
    KStream<String, String> tags = builder.stream("tags");
    KGroupedStream<String, String> words =
        lines
            .peek((key, line) -> slow())
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"));
    words.count().toStream().mapValues(String::valueOf).to("counts");
    words
        .windowedBy(TimeWindows.ofSizeAndGrace(WINDOW, GRACE))
        .count()
        .toStream()
        .map((word, count) -> new org.apache.kafka.streams.KeyValue<>(
            word.key() + "@" + word.window().start(), String.valueOf(count)))
        .to("windows");
    lines
        .join(tags, (line, tag) -> line + "#" + tag,
            JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(5), GRACE))
        .to("joined");
    return builder.build();
  }

  private static void slow() {
    try {
      Thread.sleep(SLOWED_MS);
    } catch (InterruptedException ending) {
      Thread.currentThread().interrupt();
    }
  }

  private static Properties config(String protocol, String stateDirectory) {
    Properties config =
        Proof.config(
            StreamsConfig.APPLICATION_ID_CONFIG, "app",
            StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2,
            StreamsConfig.GROUP_PROTOCOL_CONFIG, protocol,
            StreamsConfig.STATE_DIR_CONFIG, stateDirectory,
            StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "200",
            StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, "0",
            StreamsConfig.NUM_STREAM_THREADS_CONFIG, "2",
            StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest",
            StreamsConfig.consumerPrefix("max.poll.records"), "100",
            StreamsConfig.producerPrefix("transaction.timeout.ms"), "4000",
            StreamsConfig.producerPrefix("linger.ms"), "5");
    config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
    config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
    if (protocol.equals("classic")) {
      config.put(StreamsConfig.consumerPrefix("session.timeout.ms"), "3000");
      config.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), "300");
    }
    return config;
  }

  private static void run(int lines, String protocol, String stateDirectory) throws Exception {
    Map<String, Integer> expected =
        Map.of("counts", lines * WORDS, "windows", lines * WORDS, "joined", lines);
    Map<String, Integer> seen = new HashMap<>();
    try (var streams = new KafkaStreams(topology(), config(protocol, stateDirectory));
        var consumer = Proof.consumer("isolation.level", "read_committed")) {
      streams.setUncaughtExceptionHandler(error -> {
        System.out.println("error " + error);
        return StreamThreadExceptionResponse.REPLACE_THREAD;
      });
      List<TopicPartition> partitions = new ArrayList<>();
      for (String topic : expected.keySet()) {
        for (int index = 0; index < PARTITIONS; index++) partitions.add(new TopicPartition(topic, index));
      }
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      streams.start();
      boolean caughtUp = false;
      while (!seen.equals(expected)) {
        var records = consumer.poll(Proof.POLL);
        records.forEach(record -> seen.merge(record.topic(), 1, Integer::sum));
        // What was there before is no progress of this process.
        if (caughtUp && !records.isEmpty()) System.out.println("seen " + seen);
        caughtUp = caughtUp || ends.entrySet().stream().allMatch(
            end -> consumer.position(end.getKey()) >= end.getValue());
        seen.forEach((topic, count) -> Proof.check(count <= expected.get(topic), "too many: " + seen));
      }
      streams.close(Duration.ofSeconds(20));
    }
  }

  /** The updates of every key in the order of the output. */
  private static Map<String, List<String>> updates(String topic) {
    Map<String, List<String>> updates = new HashMap<>();
    try (var consumer = Proof.consumer("isolation.level", "read_committed")) {
      List<TopicPartition> partitions = new ArrayList<>();
      for (int index = 0; index < PARTITIONS; index++) partitions.add(new TopicPartition(topic, index));
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (!ends.entrySet().stream().allMatch(
          end -> consumer.position(end.getKey()) >= end.getValue())) {
        consumer.poll(Proof.POLL).forEach(record ->
            updates.computeIfAbsent(record.key(), key -> new ArrayList<>()).add(record.value()));
      }
    }
    return updates;
  }

  private static void verify(int lines) {
    Map<String, Integer> counts = new HashMap<>();
    Map<String, Integer> windows = new HashMap<>();
    Map<String, List<String>> joined = new HashMap<>();
    for (int line = 0; line < lines; line++) {
      long at = timestampMs(line);
      for (String word : words(line)) {
        counts.merge(word, 1, Integer::sum);
        windows.merge(word + "@" + (at - at % WINDOW.toMillis()), 1, Integer::sum);
      }
      joined.put("k" + line, List.of(String.join(" ", words(line)) + "#" + line));
    }
    counted("counts", counts);
    counted("windows", windows);
    Proof.equal(updates("joined"), joined, "joined");
  }

  /** Every key has to have the updates 1, 2, … up to its count. */
  private static void counted(String topic, Map<String, Integer> counts) {
    Map<String, List<String>> updates = updates(topic);
    Set<String> wrong = new HashSet<>(counts.keySet());
    wrong.addAll(updates.keySet());
    wrong.removeIf(key -> {
      List<String> expected = new ArrayList<>();
      for (int count = 1; count <= counts.getOrDefault(key, 0); count++) {
        expected.add(String.valueOf(count));
      }
      return expected.equals(updates.get(key));
    });
    for (String key : wrong) {
      Proof.equal(updates.get(key), "1 to " + counts.get(key), topic + " of " + key);
    }
  }
}
