import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.StreamsGroupDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KafkaStreams.State;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.ThreadMetadata;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/** Kafka Streams applications in both protocols: instances come and go, and what admins see. */
final class StreamsGroups {
  private static final int PARTITIONS = 4;
  private static final Duration CLOSE = Duration.ofSeconds(20);

  /** A line that no instance survives. */
  private static final String POISON = "poison";

  private StreamsGroups() {}

  private static List<String> wordsOf(String line) {
    if (line.equals(POISON)) throw new IllegalStateException("poison");
    return Arrays.asList(line.split(" "));
  }

  public static void main(String[] args) {
    LinkedHashMap<String, Proof.Scenario> scenarios = new LinkedHashMap<>();
    scenarios.put("word-count-classic", () -> wordCount("classic"));
    scenarios.put("word-count-streams", () -> wordCount("streams"));
    scenarios.put("endpoints", StreamsGroups::endpoints);
    scenarios.put("standbys", StreamsGroups::standbys);
    scenarios.put("missing-source", StreamsGroups::missingSource);
    scenarios.put("shutdown-application", StreamsGroups::shutdownApplication);
    scenarios.put("admin", StreamsGroups::administration);
    Proof.main(args, scenarios);
  }

  /** An application that counts words, and everything that it has to with them. */
  private static final class WordCount {
    final String id;
    final String protocol;
    private final Map<String, Long> sent = new HashMap<>();
    private final KafkaProducer<String, String> producer = Proof.producer();

    WordCount(String id, String protocol) {
      this.id = id;
      this.protocol = protocol;
    }

    void makeTopics() throws Exception {
      Proof.topic(id + "-lines", PARTITIONS);
      Proof.topic(id + "-counts", 1);
    }

    /** An instance in a directory of its own, so in a process of its own for the broker. */
    KafkaStreams instance(String name, String... more) throws Exception {
      StreamsBuilder builder = new StreamsBuilder();
      builder.stream(id + "-lines", Consumed.with(Serdes.String(), Serdes.String()))
          .flatMapValues(StreamsGroups::wordsOf)
          .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
          .count(
              Materialized.<String, Long>as(Stores.inMemoryKeyValueStore("counts"))
                  .withKeySerde(Serdes.String())
                  .withValueSerde(Serdes.Long()))
          .toStream()
          .mapValues(count -> Long.toString(count))
          .to(id + "-counts", Produced.with(Serdes.String(), Serdes.String()));
      Path dir = Files.createTempDirectory("kstream-streams-");
      Properties config =
          Proof.config(
              "application.id", id,
              "client.id", id + "-" + name,
              "group.protocol", protocol,
              "state.dir", dir.toString(),
              "commit.interval.ms", "100",
              // In the classic protocol an instance that closes is waited for.
              "session.timeout.ms", "6000",
              "heartbeat.interval.ms", "500",
              "num.stream.threads", "2",
              "auto.offset.reset", "earliest");
      config.putAll(Proof.config(more));
      return new KafkaStreams(builder.build(), config);
    }

    /** Sends lines and remembers what is in them. */
    void say(int lines) throws Exception {
      List<java.util.concurrent.Future<?>> all = new ArrayList<>();
      for (int line = 0; line < lines; line++) {
        String[] words = {"every", "word" + line % 17, "line" + line % 5};
        for (String word : words) sent.merge(word, 1L, Long::sum);
        all.add(producer.send(new ProducerRecord<>(id + "-lines", String.join(" ", words))));
      }
      producer.flush();
      for (java.util.concurrent.Future<?> one : all) one.get();
    }

    /** Waits until every word has been counted as often as it was said. */
    void counted(int seconds) throws Exception {
      Map<String, Long> counts = new HashMap<>();
      TopicPartition output = new TopicPartition(id + "-counts", 0);
      try (KafkaConsumer<String, String> consumer = Proof.consumer()) {
        consumer.assign(List.of(output));
        consumer.seekToBeginning(List.of(output));
        Proof.eventually(
            "all words of " + id + " counted",
            seconds,
            () -> {
              consumer.poll(Proof.POLL).forEach(
                  record -> counts.put(record.key(), Long.valueOf(record.value())));
              return counts.equals(sent);
            });
      } catch (AssertionError error) {
        throw new AssertionError(error.getMessage() + ": " + counts + " of " + sent, error);
      }
    }
  }

  private static void running(KafkaStreams... instances) throws Exception {
    for (KafkaStreams instance : instances) {
      Proof.eventually("running", 40, () -> instance.state() == State.RUNNING);
    }
  }

  private static Set<String> active(KafkaStreams instance) {
    return instance.metadataForLocalThreads().stream()
        .map(ThreadMetadata::activeTasks)
        .flatMap(Collection::stream)
        .map(task -> task.taskId().toString())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static Set<String> standby(KafkaStreams instance) {
    return instance.metadataForLocalThreads().stream()
        .map(ThreadMetadata::standbyTasks)
        .flatMap(Collection::stream)
        .map(task -> task.taskId().toString())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Waits until all tasks run, half of them in each of the two. */
  private static void shared(KafkaStreams one, KafkaStreams two) throws Exception {
    Proof.eventually(
        "tasks shared",
        40,
        () -> {
          Set<String> all = new TreeSet<>(active(one));
          all.addAll(active(two));
          return active(one).size() == PARTITIONS
              && active(two).size() == PARTITIONS
              && all.size() == 2 * PARTITIONS;
        });
  }

  private static void wordCount(String protocol) throws Exception {
    WordCount words = new WordCount("count-" + protocol, protocol);
    words.makeTopics();
    words.say(200);
    KafkaStreams one = words.instance("one");
    one.start();
    running(one);
    words.counted(40);
    KafkaStreams two = words.instance("two");
    two.start();
    shared(one, two);
    running(one, two);
    words.say(300);
    words.counted(40);
    // One leaves while it has work.
    words.say(200);
    Proof.check(one.close(CLOSE), "one closed");
    words.say(100);
    Proof.eventually("two has all", 40, () -> active(two).size() == 2 * PARTITIONS);
    words.counted(40);
    KafkaStreams again = words.instance("again");
    again.start();
    shared(two, again);
    words.say(100);
    words.counted(40);
    Proof.check(two.close(CLOSE), "two closed");
    Proof.check(again.close(CLOSE), "again closed");
  }

  private static void configure(String group, String... pairs) throws Exception {
    List<org.apache.kafka.clients.admin.AlterConfigOp> changes = new ArrayList<>();
    for (int i = 0; i < pairs.length; i += 2) {
      changes.add(
          new org.apache.kafka.clients.admin.AlterConfigOp(
              new org.apache.kafka.clients.admin.ConfigEntry(pairs[i], pairs[i + 1]),
              org.apache.kafka.clients.admin.AlterConfigOp.OpType.SET));
    }
    ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
    Proof.admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
  }

  /** All instances know which of them have which part of the state (interactive queries). */
  private static void endpoints() throws Exception {
    WordCount words = new WordCount("endpoints", "streams");
    words.makeTopics();
    // Kafka tells of the tasks of one thread only where an instance has several.
    KafkaStreams[] instances = new KafkaStreams[2];
    for (int i = 0; i < instances.length; i++) {
      instances[i] =
          words.instance("" + i, "application.server", "host" + i + ":80", "num.stream.threads", "1");
      instances[i].start();
    }
    shared(instances[0], instances[1]);
    for (KafkaStreams instance : instances) {
      Proof.eventually(
          "the partitions of both are known",
          40,
          () ->
              instance.streamsMetadataForStore("counts").stream()
                      .mapToInt(each -> each.topicPartitions().size())
                      .sum()
                  == 2 * PARTITIONS);
    }
    for (KafkaStreams instance : instances) Proof.check(instance.close(CLOSE), "closed");
  }

  /** A standby takes over the state of an instance that leaves. */
  private static void standbys() throws Exception {
    WordCount words = new WordCount("standbys", "streams");
    words.makeTopics();
    configure("standbys", "streams.num.standby.replicas", "1");
    KafkaStreams one = words.instance("one");
    KafkaStreams two = words.instance("two");
    one.start();
    two.start();
    shared(one, two);
    Proof.eventually(
        "standbys of all stateful tasks",
        40,
        () -> standby(one).size() + standby(two).size() == PARTITIONS);
    words.say(200);
    words.counted(40);
    Proof.check(one.close(CLOSE), "closed");
    Proof.eventually("two has all", 40, () -> active(two).size() == 2 * PARTITIONS);
    words.say(100);
    words.counted(40);
    Proof.check(two.close(CLOSE), "closed");
  }

  /** An application whose source is missing starts to work when it is there. */
  private static void missingSource() throws Exception {
    WordCount words = new WordCount("missing", "streams");
    KafkaStreams one = words.instance("one");
    one.start();
    Proof.eventually(
        "not ready",
        20,
        () ->
            Proof.admin.listGroups().all().get().stream()
                .anyMatch(
                    group ->
                        group.groupId().equals("missing")
                            && group.groupState().equals(java.util.Optional.of(GroupState.NOT_READY))));
    words.makeTopics();
    words.say(50);
    running(one);
    words.counted(40);
    Proof.check(one.close(CLOSE), "closed");
  }

  /** One instance ends all of them. */
  private static void shutdownApplication() throws Exception {
    WordCount words = new WordCount("shutdown", "streams");
    words.makeTopics();
    KafkaStreams one = words.instance("one");
    KafkaStreams two = words.instance("two");
    for (KafkaStreams each : List.of(one, two)) {
      each.setUncaughtExceptionHandler(error -> StreamThreadExceptionResponse.SHUTDOWN_APPLICATION);
      each.start();
    }
    running(one, two);
    words.producer.send(new ProducerRecord<>("shutdown-lines", POISON)).get();
    for (KafkaStreams each : List.of(one, two)) {
      Proof.eventually("shut down by the other", 40, () -> each.state() == State.ERROR);
      each.close(CLOSE);
    }
  }

  private static void administration() throws Exception {
    WordCount words = new WordCount("admin", "streams");
    words.makeTopics();
    words.say(50);
    KafkaStreams one = words.instance("one");
    one.start();
    running(one);
    words.counted(40);
    GroupListing listed =
        Proof.admin.listGroups().all().get().stream()
            .filter(group -> group.groupId().equals("admin"))
            .findFirst()
            .orElseThrow();
    Proof.equal(listed.type(), java.util.Optional.of(GroupType.STREAMS), "type");
    Proof.equal(listed.protocol(), "streams", "protocol");
    StreamsGroupDescription group =
        Proof.admin.describeStreamsGroups(List.of("admin")).all().get().get("admin");
    Proof.equal(group.groupState(), GroupState.STABLE, "state");
    Proof.equal(group.members().size(), 2, "members");
    Proof.equal(group.subtopologies().size(), 2, "subtopologies");
    Proof.equal(
        group.subtopologies().stream()
            .flatMap(each -> each.stateChangelogTopics().entrySet().stream())
            .map(each -> each.getKey() + " " + each.getValue().partitions())
            .toList(),
        List.of("admin-counts-changelog " + PARTITIONS),
        "changelogs");
    var policy =
        Proof.admin
            .describeConfigs(
                List.of(new ConfigResource(ConfigResource.Type.TOPIC, "admin-counts-changelog")))
            .all()
            .get()
            .values()
            .iterator()
            .next()
            .get("cleanup.policy");
    Proof.equal(policy.value(), "compact", "cleanup.policy of the changelog");
    Proof.fails(
        "deletion of a group with members",
        () -> Proof.admin.deleteStreamsGroups(List.of("admin")).all().get(),
        org.apache.kafka.common.errors.GroupNotEmptyException.class);
    Proof.check(one.close(CLOSE), "closed");
    Proof.eventually(
        "empty",
        20,
        () ->
            Proof.admin.describeStreamsGroups(List.of("admin")).all().get().get("admin")
                .groupState() == GroupState.EMPTY);
    var offsets =
        Proof.admin
            .listStreamsGroupOffsets(
                Map.of("admin", new org.apache.kafka.clients.admin.ListStreamsGroupOffsetsSpec()))
            .partitionsToOffsetAndMetadata("admin")
            .get();
    long committed =
        offsets.entrySet().stream()
            .filter(each -> each.getKey().topic().equals("admin-lines"))
            .mapToLong(each -> each.getValue().offset())
            .sum();
    Proof.equal(committed, 50L, "committed");
    Proof.admin.deleteStreamsGroups(List.of("admin")).all().get();
    Proof.fails(
        "description of a group that is gone",
        () -> Proof.admin.describeStreamsGroups(List.of("admin")).all().get(),
        org.apache.kafka.common.errors.GroupIdNotFoundException.class);
  }
}
