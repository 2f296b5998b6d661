import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What the programs share: clients, checks, and the run of named scenarios. */
final class Proof {
  /** One scenario; it fails by throwing. */
  interface Scenario {
    void run() throws Exception;
  }

  /** A condition that may throw. */
  interface Condition {
    boolean holds() throws Exception;
  }

  static final Duration POLL = Duration.ofMillis(100);
  private static final int SCENARIO_TIMEOUT_S = 120;
  static String bootstrap;
  static Admin admin;

  private Proof() {}

  /** Connects to the broker. */
  static void connect(String to) {
    bootstrap = to;
    admin = Admin.create(config());
  }

  /** Runs the scenarios named in `args` behind the broker's address, or all; exits 1 if one failed. */
  static void main(String[] args, LinkedHashMap<String, Scenario> scenarios) {
    connect(args[0]);
    List<String> names =
        args.length > 1
            ? Arrays.asList(args).subList(1, args.length)
            : new ArrayList<>(scenarios.keySet());
    boolean failed = false;
    for (String name : names) {
      long start = System.currentTimeMillis();
      try {
        within(SCENARIO_TIMEOUT_S, scenarios.get(name));
        System.out.println("ok " + name + " " + (System.currentTimeMillis() - start) + " ms");
      } catch (Throwable error) {
        failed = true;
        System.out.println("FAIL " + name);
        error.printStackTrace(System.out);
      }
    }
    System.out.flush();
    Runtime.getRuntime().halt(failed ? 1 : 0);
  }

  private static void within(int seconds, Scenario scenario) throws Throwable {
    CompletableFuture<Void> done = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                scenario.run();
                done.complete(null);
              } catch (Throwable error) {
                done.completeExceptionally(error);
              }
            });
    thread.setDaemon(true);
    thread.start();
    try {
      done.get(seconds, TimeUnit.SECONDS);
    } catch (ExecutionException error) {
      throw error.getCause();
    } catch (java.util.concurrent.TimeoutException error) {
      AssertionError timeout = new AssertionError("not done within " + seconds + " s");
      timeout.setStackTrace(thread.getStackTrace());
      throw timeout;
    }
  }

  /** Properties with the broker's address, then `key, value` pairs. */
  static Properties config(String... pairs) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    for (int i = 0; i < pairs.length; i += 2) properties.put(pairs[i], pairs[i + 1]);
    return properties;
  }

  /** A producer of strings. */
  static KafkaProducer<String, String> producer(String... pairs) {
    Properties properties = config("max.block.ms", "15000", "linger.ms", "0");
    properties.putAll(config(pairs));
    return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
  }

  /** A producer with a transactional id, initialized. */
  static KafkaProducer<String, String> transactional(String id, String... pairs) {
    List<String> all = new ArrayList<>(List.of("transactional.id", id));
    all.addAll(List.of(pairs));
    KafkaProducer<String, String> producer = producer(all.toArray(String[]::new));
    producer.initTransactions();
    return producer;
  }

  /** A consumer of strings that commits only when told to. */
  static KafkaConsumer<String, String> consumer(String... pairs) {
    Properties properties =
        config("enable.auto.commit", "false", "auto.offset.reset", "earliest",
            "default.api.timeout.ms", "15000");
    properties.putAll(config(pairs));
    return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
  }

  /** Makes a topic, with as many replicas as the broker's default says. */
  static void topic(String name, int partitions) throws Exception {
    NewTopic topic = new NewTopic(name, Optional.of(partitions), Optional.empty());
    admin.createTopics(List.of(topic)).all().get();
  }

  /** Sends values to a partition and waits for the acknowledgements. */
  static void send(KafkaProducer<String, String> producer, String topic, int partition, String... values)
      throws Exception {
    List<java.util.concurrent.Future<?>> sent = new ArrayList<>();
    for (String value : values) {
      sent.add(producer.send(new ProducerRecord<>(topic, partition, null, value)));
    }
    producer.flush();
    for (java.util.concurrent.Future<?> future : sent) future.get();
  }

  /** The values of a topic, partition by partition, up to the end that the isolation level shows. */
  static List<String> read(String topic, String isolation) {
    List<String> values = new ArrayList<>();
    try (KafkaConsumer<String, String> consumer =
        consumer("isolation.level", isolation, "fetch.max.wait.ms", "50")) {
      int partitions = consumer.partitionsFor(topic).size();
      for (int index = 0; index < partitions; index++) {
        TopicPartition partition = new TopicPartition(topic, index);
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        long end = consumer.endOffsets(List.of(partition)).get(partition);
        while (consumer.position(partition) < end) {
          consumer.poll(POLL).forEach(record -> values.add(record.value()));
        }
      }
    }
    return values;
  }

  static List<String> committed(String topic) {
    return read(topic, "read_committed");
  }

  /** What is committed once no transaction is open: a commit is answered before its markers are there. */
  static List<String> settled(String topic) throws Exception {
    int partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
    for (int index = 0; index < partitions; index++) {
      int partition = index;
      eventually("the end of all transactions in " + topic, 20, () ->
          end(topic, partition, "read_committed") == end(topic, partition, "read_uncommitted"));
    }
    return committed(topic);
  }

  static List<String> uncommitted(String topic) {
    return read(topic, "read_uncommitted");
  }

  /** Where a partition ends for the isolation level. */
  static long end(String topic, int partition, String isolation) {
    TopicPartition at = new TopicPartition(topic, partition);
    try (KafkaConsumer<String, String> consumer = consumer("isolation.level", isolation)) {
      return consumer.endOffsets(List.of(at)).get(at);
    }
  }

  static void equal(Object actual, Object expected, String what) {
    if (!java.util.Objects.equals(actual, expected)) {
      throw new AssertionError(what + ": expected " + expected + ", got " + actual);
    }
  }

  static void check(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  /** Runs what has to throw one of these, itself or as a cause, and returns it. */
  @SafeVarargs
  static Throwable fails(String what, Scenario body, Class<? extends Throwable>... expected) {
    try {
      body.run();
    } catch (Throwable error) {
      for (Throwable at = error; at != null; at = at.getCause()) {
        for (Class<? extends Throwable> one : expected) if (one.isInstance(at)) return at;
      }
      throw new AssertionError(what + " failed with another error", error);
    }
    throw new AssertionError(what + " did not fail");
  }

  /** Waits until the condition holds. */
  static void eventually(String what, int seconds, Condition condition) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    while (!condition.holds()) {
      if (System.nanoTime() > deadline) throw new AssertionError("not within " + seconds + " s: " + what);
      Thread.sleep(50);
    }
  }

  /** `prefix 0`, … */
  static String[] values(String prefix, int count) {
    String[] values = new String[count];
    for (int i = 0; i < count; i++) values[i] = prefix + " " + i;
    return values;
  }

  /** All values in one list. */
  static List<String> concat(String[]... parts) {
    List<String> all = new ArrayList<>();
    for (String[] part : parts) all.addAll(List.of(part));
    return all;
  }

  static Map<TopicPartition, org.apache.kafka.clients.consumer.OffsetAndMetadata> offset(
      String topic, int partition, long offset) {
    return Map.of(
        new TopicPartition(topic, partition),
        new org.apache.kafka.clients.consumer.OffsetAndMetadata(offset));
  }
}
