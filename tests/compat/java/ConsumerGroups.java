import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;

/** Consumer groups of both protocols by Kafka's own consumer: ownership, migration, membership. */
final class ConsumerGroups {
  private static final String COOPERATIVE =
      "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
  private static final int JOIN_TIMEOUT_S = 60;

  private ConsumerGroups() {}

  public static void main(String[] args) {
    LinkedHashMap<String, Proof.Scenario> scenarios = new LinkedHashMap<>();
    scenarios.put("churn-consumer", () -> churn("consumer", 20));
    scenarios.put("churn-classic", () -> churn("classic", 8));
    scenarios.put("migration", ConsumerGroups::migration);
    scenarios.put("static-classic", () -> staticMembers("classic"));
    scenarios.put("static-consumer", () -> staticMembers("consumer"));
    scenarios.put("regex", ConsumerGroups::regex);
    scenarios.put("crashed-member", ConsumerGroups::crashedMember);
    Proof.main(args, scenarios);
  }

  /** What all members of a group did: who owns what, and what was read. */
  private static final class Ledger {
    final Map<TopicPartition, String> owners = new ConcurrentHashMap<>();
    final Map<TopicPartition, Long> next = new ConcurrentHashMap<>();
    final ConcurrentLinkedQueue<String> violations = new ConcurrentLinkedQueue<>();
    final AtomicInteger records = new AtomicInteger();
    private final Map<TopicPartition, ConcurrentLinkedQueue<String>> histories = new ConcurrentHashMap<>();
    private final long start = System.nanoTime();
    /** Cooperative members of the classic protocol may lose partitions and read records again. */
    final boolean strict;

    Ledger(boolean strict) {
      this.strict = strict;
    }

    private void note(TopicPartition partition, String event) {
      histories.computeIfAbsent(partition, none -> new ConcurrentLinkedQueue<>())
          .add((System.nanoTime() - start) / 1_000_000 + " ms: " + event);
    }

    /** Says what is wrong, and all that members were told of the partition before. */
    private void violation(TopicPartition partition, String what) {
      violations.add(partition + " " + what + " " + histories.get(partition));
    }

    void assigned(String member, Collection<TopicPartition> partitions) {
      for (TopicPartition partition : partitions) {
        note(partition, member + " assigned");
        String before = owners.put(partition, member);
        if (before != null && strict) violation(partition, "of " + before + " given to " + member);
      }
    }

    void revoked(String member, Collection<TopicPartition> partitions) {
      for (TopicPartition partition : partitions) {
        note(partition, member + " revoked");
        if (!owners.remove(partition, member) && strict) violation(partition, "was not of " + member);
      }
    }

    void lost(String member, Collection<TopicPartition> partitions) {
      for (TopicPartition partition : partitions) {
        note(partition, member + " lost");
        if (strict) violation(partition, "lost by " + member);
        owners.remove(partition, member);
      }
    }

    void closing(String member) {
      owners.forEach((partition, owner) -> {
        if (owner.equals(member) && owners.remove(partition, member)) note(partition, member + " closing");
      });
    }

    /** Members commit before they give a partition up: nothing is skipped, and nothing comes twice. */
    void read(String member, ConsumerRecord<String, String> record) {
      TopicPartition at = new TopicPartition(record.topic(), record.partition());
      long expected = next.getOrDefault(at, 0L);
      if (record.offset() < expected && !strict) return;
      if (record.offset() != expected) {
        violation(at, member + " read " + record.offset() + ", expected " + expected);
      }
      if (strict && !member.equals(owners.get(at))) violation(at, "read by " + member + ", no owner");
      next.put(at, record.offset() + 1);
      records.incrementAndGet();
    }
  }

  /** A member on a thread of its own. */
  private static final class Member implements ConsumerRebalanceListener {
    private final String name;
    private final Ledger ledger;
    private final KafkaConsumer<String, String> consumer;
    /** What is to be committed of what this member has read, if it was not already. */
    private final Map<TopicPartition, OffsetAndMetadata> pending = new HashMap<>();
    private final Thread thread;
    private volatile boolean leaving = false;
    /** Only for its own thread: it has read and committed all that it ever will. */
    private boolean closing = false;

    Member(String name, Ledger ledger, Collection<String> topics, String... config) {
      this.name = name;
      this.ledger = ledger;
      consumer = Proof.consumer(config);
      consumer.subscribe(topics, this);
      thread = new Thread(this::run, name);
      thread.setDaemon(true);
      thread.start();
    }

    private void run() {
      try {
        while (!leaving) {
          var records = consumer.poll(Proof.POLL);
          records.forEach(record -> ledger.read(name, record));
          pending.putAll(records.nextOffsets());
          commit();
        }
        closing = true;
        ledger.closing(name);
        consumer.close();
      } catch (Throwable error) {
        ledger.violations.add(name + ": " + error);
        error.printStackTrace();
      }
    }

    private void commit() {
      if (pending.isEmpty()) return;
      try {
        consumer.commitSync(pending);
        pending.clear();
      } catch (RebalanceInProgressException | CommitFailedException rebalancing) {
        if (ledger.strict) throw rebalancing; // does not happen to members of the new protocol
        // The commit before the revocation, or that of the next poll, covers it.
      }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      ledger.assigned(name, partitions);
    }

    /**
     * On close, a consumer of the new protocol revokes what its last finished reconciliation left it
     * with (`AsyncKafkaConsumer.runRebalanceCallbacksOnClose`): if another is under way, that is
     * neither what it was told to own nor what it owns. So nothing follows from it.
     */
    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      commit();
      if (closing) return;
      pending.keySet().removeAll(partitions);
      ledger.revoked(name, partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      pending.keySet().removeAll(partitions);
      ledger.lost(name, partitions);
    }

    void leave() throws InterruptedException {
      leaving = true;
      thread.join(30_000);
      if (thread.isAlive()) ledger.violations.add(name + " does not leave");
    }
  }

  private static Set<TopicPartition> partitions(Map<String, Integer> topics) {
    Set<TopicPartition> all = new HashSet<>();
    topics.forEach((topic, count) -> {
      for (int index = 0; index < count; index++) all.add(new TopicPartition(topic, index));
    });
    return all;
  }

  private static String[] protocol(String protocol, String group) {
    return protocol.equals("consumer")
        ? new String[] {"group.id", group, "group.protocol", "consumer"}
        : new String[] {"group.id", group, "group.protocol", "classic", "heartbeat.interval.ms", "300",
          "partition.assignment.strategy", COOPERATIVE};
  }

  /** Sends to all partitions until it is closed. */
  private static final class Source implements AutoCloseable {
    private final KafkaProducer<String, String> producer = Proof.producer("linger.ms", "5");
    private final AtomicInteger sent = new AtomicInteger();
    private final Thread thread;
    private volatile boolean closed = false;

    /**
     * Begins with one acknowledged record per partition. Of several batches in flight to leaders
     * that are just coming up, Apache Kafka may take the second and refuse the first for ever.
     */
    Source(Collection<TopicPartition> partitions) throws Exception {
      List<Future<?>> first = new ArrayList<>();
      for (TopicPartition at : partitions) {
        first.add(producer.send(new ProducerRecord<>(at.topic(), at.partition(), null, "record")));
        sent.incrementAndGet();
      }
      for (Future<?> one : first) one.get();
      thread = new Thread(() -> {
        while (!closed) {
          for (TopicPartition at : partitions) {
            producer.send(new ProducerRecord<>(at.topic(), at.partition(), null, "record"));
            sent.incrementAndGet();
          }
          try {
            Thread.sleep(50);
          } catch (InterruptedException stop) {
            return;
          }
        }
      });
      thread.start();
    }

    /** Ends it and returns how many records there are. */
    int end() throws InterruptedException {
      closed = true;
      thread.join();
      producer.flush();
      return sent.get();
    }

    @Override
    public void close() {
      closed = true;
      producer.close();
    }
  }

  /** Members join and leave all the time: no partition has two owners, no record comes twice or not. */
  private static void churn(String protocol, int size) throws Exception {
    String group = "churn-" + protocol;
    Map<String, Integer> topics = Map.of(group + "-a", 24, group + "-b", 16);
    for (var topic : topics.entrySet()) Proof.topic(topic.getKey(), topic.getValue());
    Ledger ledger = new Ledger(protocol.equals("consumer"));
    Random random = new Random(3);
    List<Member> members = new ArrayList<>();
    int made = 0;
    try (Source source = new Source(partitions(topics))) {
      while (members.size() < size) {
        members.add(new Member("m" + made++, ledger, topics.keySet(), protocol(protocol, group)));
      }
      for (int change = 0; change < 12; change++) {
        Thread.sleep(random.nextInt(600));
        if (members.size() > size / 2 && random.nextBoolean()) {
          members.remove(random.nextInt(members.size())).leave();
        } else {
          members.add(new Member("m" + made++, ledger, topics.keySet(), protocol(protocol, group)));
        }
      }
      Proof.eventually("all partitions owned", JOIN_TIMEOUT_S,
          () -> ledger.owners.keySet().equals(partitions(topics)) || !ledger.violations.isEmpty());
      int sent = source.end();
      Proof.eventually("all records read", JOIN_TIMEOUT_S,
          () -> ledger.records.get() >= sent || !ledger.violations.isEmpty());
      Proof.equal(List.copyOf(ledger.violations), List.of(), "violations");
      Proof.equal(ledger.records.get(), sent, "records");
    } finally {
      for (Member member : members) member.leaving = true;
      for (Member member : members) member.leave();
    }
    Proof.equal(List.copyOf(ledger.violations), List.of(), "violations at the end");
    Proof.equal(ledger.owners, Map.of(), "owners at the end");
    var offsets = Proof.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    offsets.forEach(
        (at, offset) -> Proof.equal(offset.offset(), ledger.next.get(at), "committed " + at));
    Proof.admin.deleteConsumerGroups(List.of(group)).all().get();
  }

  private static GroupType typeOf(String group) throws Exception {
    return Proof.admin.describeConsumerGroups(List.of(group)).describedGroups().get(group).get().type();
  }

  private static void settle(Ledger ledger, Map<String, Integer> topics, int members) throws Exception {
    Proof.eventually("the partitions spread over " + members + " members", JOIN_TIMEOUT_S, () ->
        !ledger.violations.isEmpty()
            || (ledger.owners.keySet().equals(partitions(topics))
                && new HashSet<>(ledger.owners.values()).size() == members));
    Proof.equal(List.copyOf(ledger.violations), List.of(), "violations");
  }

  /** A group goes from the classic to the new protocol and back, member by member, while it reads. */
  private static void migration() throws Exception {
    String group = "migration";
    Map<String, Integer> topics = Map.of(group, 8);
    Proof.topic(group, 8);
    Ledger ledger = new Ledger(false);
    List<Member> members = new ArrayList<>();
    int made = 0;
    try (Source source = new Source(partitions(topics))) {
      for (String[] turn : new String[][] {{"classic", "Classic"}, {"consumer", "Consumer"}, {"classic", "Classic"}}) {
        List<Member> old = new ArrayList<>(members);
        for (int index = 0; index < 2; index++) {
          members.add(new Member(turn[0] + made++, ledger, topics.keySet(), protocol(turn[0], group)));
          settle(ledger, topics, members.size());
        }
        for (Member member : old) {
          members.remove(member);
          member.leave();
          settle(ledger, topics, members.size());
        }
        Proof.equal(typeOf(group), GroupType.parse(turn[1]), "type of the group");
      }
      int sent = source.end();
      Proof.eventually("all records read", JOIN_TIMEOUT_S,
          () -> ledger.records.get() >= sent || !ledger.violations.isEmpty());
      Proof.equal(ledger.records.get(), sent, "records");
    } finally {
      for (Member member : members) member.leave();
    }
    Proof.equal(List.copyOf(ledger.violations), List.of(), "violations");
  }

  private static void awaitAssignment(KafkaConsumer<String, String> consumer, int size) throws Exception {
    Proof.eventually("an assignment of " + size, JOIN_TIMEOUT_S, () -> {
      consumer.poll(Proof.POLL);
      return consumer.assignment().size() == size;
    });
  }

  private static KafkaConsumer<String, String> instance(String protocol, String group, String instance) {
    List<String> config = new ArrayList<>(List.of(protocol(protocol, group)));
    config.addAll(List.of("group.instance.id", instance));
    KafkaConsumer<String, String> consumer = Proof.consumer(config.toArray(String[]::new));
    consumer.subscribe(List.of(group));
    return consumer;
  }

  /** A static member comes back to what it had, and a second one of its name is kept apart. */
  private static void staticMembers(String protocol) throws Exception {
    String group = "static-" + protocol;
    Proof.topic(group, 4);
    try (var other = instance(protocol, group, "other")) {
      Set<TopicPartition> had;
      try (var first = instance(protocol, group, "first")) {
        Proof.eventually("two members with two partitions each", JOIN_TIMEOUT_S, () -> {
          first.poll(Proof.POLL);
          other.poll(Proof.POLL);
          return first.assignment().size() == 2 && other.assignment().size() == 2;
        });
        had = first.assignment();
      }
      for (int polls = 0; polls < 10; polls++) {
        other.poll(Proof.POLL);
        Proof.equal(other.assignment().size(), 2, "partitions of the other while one is away");
      }
      try (var back = instance(protocol, group, "first")) {
        awaitAssignment(back, 2);
        Proof.equal(back.assignment(), had, "partitions of who came back");
        try (var twin = instance(protocol, group, "first")) {
          if (protocol.equals("consumer")) {
            Proof.fails("the twin", () -> awaitAssignment(twin, 2), UnreleasedInstanceIdException.class);
          } else {
            awaitAssignment(twin, 2);
            Proof.fails("who was replaced", () -> awaitAssignment(back, 5), FencedInstanceIdException.class);
          }
        }
      }
    }
  }

  /** Expressions are resolved by the broker, also for topics that come and go later. */
  private static void regex() throws Exception {
    Proof.topic("regex-a", 2);
    Proof.topic("other-a", 2);
    // A consumer that asks for the topic that was deleted must not make it anew.
    try (var consumer = Proof.consumer("group.id", "regex", "group.protocol", "consumer",
        "metadata.max.age.ms", "1000", "allow.auto.create.topics", "false")) {
      consumer.subscribe(new SubscriptionPattern("regex-[a-z]+"));
      awaitAssignment(consumer, 2);
      Proof.topic("regex-1", 1);
      Proof.topic("regex-b", 3);
      awaitAssignment(consumer, 5);
      Proof.admin.deleteTopics(List.of("regex-a")).all().get();
      awaitAssignment(consumer, 3);
      Proof.equal(consumer.assignment(), partitions(Map.of("regex-b", 3)), "assignment");
    }
    try (var consumer = Proof.consumer("group.id", "regex-bad", "group.protocol", "consumer")) {
      consumer.subscribe(new SubscriptionPattern("(unclosed"));
      Proof.fails("an expression that is none", () -> awaitAssignment(consumer, 1),
          InvalidRegularExpression.class);
    }
  }

  /** A member that stops without a word loses its partitions after its session, then comes back. */
  private static void crashedMember() throws Exception {
    Proof.topic("crashed", 4);
    String[] config = protocol("consumer", "crashed");
    try (var stays = Proof.consumer(config)) {
      stays.subscribe(List.of("crashed"));
      List<String> slow = new ArrayList<>(List.of(config));
      slow.addAll(List.of("max.poll.interval.ms", "2000"));
      try (var stalls = Proof.consumer(slow.toArray(String[]::new))) {
        stalls.subscribe(List.of("crashed"));
        Proof.eventually("both have partitions", JOIN_TIMEOUT_S, () -> {
          stays.poll(Proof.POLL);
          stalls.poll(Duration.ofMillis(50));
          return stays.assignment().size() == 2 && stalls.assignment().size() == 2;
        });
        awaitAssignment(stays, 4);
        Proof.fails("a commit of who has stalled",
            () -> stalls.commitSync(Proof.offset("crashed", 0, 1)),
            CommitFailedException.class);
        Proof.eventually("both have partitions again", JOIN_TIMEOUT_S, () -> {
          stays.poll(Proof.POLL);
          stalls.poll(Duration.ofMillis(50));
          return stays.assignment().size() == 2 && stalls.assignment().size() == 2;
        });
      }
    }
    Proof.eventually("an empty group", 15, () -> Proof.admin.describeConsumerGroups(List.of("crashed"))
        .describedGroups().get("crashed").get().groupState() == GroupState.EMPTY);
  }
}
