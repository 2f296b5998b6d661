import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;

/** Transactions by Kafka's own producer, consumer and admin client. */
@SuppressWarnings("removal") // group metadata made by hand, as stale ones are
final class Transactions {
  private Transactions() {}

  public static void main(String[] args) {
    LinkedHashMap<String, Proof.Scenario> scenarios = new LinkedHashMap<>();
    scenarios.put("isolation", Transactions::isolation);
    scenarios.put("fencing", Transactions::fencing);
    scenarios.put("zombie-commit", Transactions::zombieCommit);
    scenarios.put("interleaved", Transactions::interleaved);
    scenarios.put("abort-after-error", Transactions::abortAfterError);
    scenarios.put("epoch-bump", Transactions::epochBump);
    scenarios.put("offsets", Transactions::offsets);
    scenarios.put("group-fencing-classic", () -> groupFencing("classic"));
    scenarios.put("group-fencing-consumer", () -> groupFencing("consumer"));
    scenarios.put("timeout", Transactions::timeout);
    scenarios.put("admin", Transactions::admin);
    scenarios.put("many-partitions", Transactions::manyPartitions);
    Proof.main(args, scenarios);
  }

  /** read_committed ends before the first open transaction and never shows what was aborted. */
  static void isolation() throws Exception {
    Proof.topic("isolation", 1);
    try (var one = Proof.transactional("isolation-1"); var two = Proof.transactional("isolation-2");
        var plain = Proof.producer()) {
      one.beginTransaction();
      Proof.send(one, "isolation", 0, Proof.values("aborted", 3));
      one.abortTransaction();
      one.beginTransaction();
      Proof.send(one, "isolation", 0, Proof.values("open", 2));
      two.beginTransaction();
      Proof.send(two, "isolation", 0, Proof.values("committed", 2));
      two.commitTransaction();
      Proof.send(plain, "isolation", 0, "plain");
      // 3 aborted, a marker: the open transaction begins at 4.
      Proof.equal(Proof.end("isolation", 0, "read_committed"), 4L, "last stable offset");
      Proof.equal(Proof.committed("isolation"), List.of(), "before the commit");
      Proof.equal(
          Proof.uncommitted("isolation"),
          List.of("aborted 0", "aborted 1", "aborted 2", "open 0", "open 1", "committed 0",
              "committed 1", "plain"),
          "uncommitted");
      one.commitTransaction();
      Proof.equal(
          Proof.settled("isolation"), List.of("open 0", "open 1", "committed 0", "committed 1", "plain"),
          "after the commit");
    }
  }

  /** A second producer of the same id aborts what the first one has open, and shuts it out. */
  static void fencing() throws Exception {
    Proof.topic("fencing", 1);
    try (var old = Proof.transactional("fencing")) {
      old.beginTransaction();
      Proof.send(old, "fencing", 0, "old");
      try (var young = Proof.transactional("fencing")) {
        Proof.equal(Proof.settled("fencing"), List.of(), "what the old one sent");
        Proof.fails("a send of the old one", () -> Proof.send(old, "fencing", 0, "late"),
            InvalidProducerEpochException.class);
        Proof.fails("the old one's abort", old::abortTransaction, ProducerFencedException.class);
        young.beginTransaction();
        Proof.send(young, "fencing", 0, "young");
        young.commitTransaction();
      }
      Proof.fails("a transaction of the old one", old::beginTransaction, ProducerFencedException.class);
    }
    Proof.equal(Proof.settled("fencing"), List.of("young"), "records");
  }

  /** A commit with an epoch that was fenced does not commit what the successor has open. */
  static void zombieCommit() throws Exception {
    Proof.topic("zombie", 1);
    try (var zombie = Proof.transactional("zombie")) {
      zombie.beginTransaction();
      Proof.send(zombie, "zombie", 0, "zombie");
      try (var young = Proof.transactional("zombie")) {
        young.beginTransaction();
        Proof.send(young, "zombie", 0, "young");
        Proof.fails("the zombie's commit", zombie::commitTransaction, ProducerFencedException.class);
        Proof.equal(Proof.committed("zombie"), List.of(), "after the zombie's commit");
        young.commitTransaction();
      }
    }
    Proof.equal(Proof.settled("zombie"), List.of("young"), "records");
  }

  /** Two producers with transactions across each other on the same partitions, some aborted. */
  static void interleaved() throws Exception {
    Proof.topic("interleaved", 2);
    Random random = new Random(7);
    List<List<String>> expected = List.of(new ArrayList<>(), new ArrayList<>());
    Set<String> kept = new java.util.HashSet<>();
    List<String> order = new ArrayList<>();
    try (var one = Proof.transactional("interleaved-1"); var two = Proof.transactional("interleaved-2")) {
      List<KafkaProducer<String, String>> producers = List.of(one, two);
      List<List<String>> open = List.of(new ArrayList<>(), new ArrayList<>());
      boolean[] begun = new boolean[2];
      for (int step = 0; step < 400; step++) {
        int who = random.nextInt(2);
        KafkaProducer<String, String> producer = producers.get(who);
        if (!begun[who]) {
          producer.beginTransaction();
          begun[who] = true;
        }
        if (random.nextInt(6) > 0) {
          int partition = random.nextInt(2);
          String value = partition + ":" + step;
          Proof.send(producer, "interleaved", partition, value);
          open.get(who).add(value);
          order.add(value);
          continue;
        }
        if (random.nextInt(3) > 0) {
          producer.commitTransaction();
          kept.addAll(open.get(who));
        } else {
          producer.abortTransaction();
        }
        open.get(who).clear();
        begun[who] = false;
      }
      for (int who = 0; who < 2; who++) if (begun[who]) producers.get(who).abortTransaction();
    }
    for (String value : order) {
      if (kept.contains(value)) expected.get(value.charAt(0) - '0').add(value);
    }
    List<String> all = new ArrayList<>(expected.get(0));
    all.addAll(expected.get(1));
    Proof.equal(Proof.settled("interleaved"), all, "committed records in order");
  }

  /** A transaction with a record that was refused cannot be committed, but aborted; then it goes on. */
  static void abortAfterError() throws Exception {
    Proof.topic("error", 1);
    try (var producer = Proof.transactional("error", "max.request.size", "10000000")) {
      producer.beginTransaction();
      Proof.send(producer, "error", 0, "before");
      producer.send(new ProducerRecord<>("error", 0, null, "x".repeat(3_000_000)));
      Proof.fails("the commit", producer::commitTransaction, RecordTooLargeException.class);
      producer.abortTransaction();
      producer.beginTransaction();
      Proof.send(producer, "error", 0, "after");
      producer.commitTransaction();
    }
    Proof.equal(Proof.settled("error"), List.of("after"), "records");
  }

  private static TransactionDescription describe(String id) throws Exception {
    return Proof.admin.describeTransactions(List.of(id)).description(id).get();
  }

  /** Under transaction version 2 (KIP-890) every end of a transaction raises the epoch. */
  static void epochBump() throws Exception {
    Proof.topic("bump", 1);
    short version =
        Proof.admin.describeFeatures().featureMetadata().get().finalizedFeatures()
            .get("transaction.version").maxVersionLevel();
    Proof.equal(version, (short) 2, "transaction.version");
    try (var producer = Proof.transactional("bump")) {
      int first = describe("bump").producerEpoch();
      for (int round = 0; round < 3; round++) {
        producer.beginTransaction();
        Proof.send(producer, "bump", 0, "round " + round);
        int epoch = first + round;
        Proof.equal(describe("bump").producerEpoch(), epoch, "epoch within transaction " + round);
        var producers =
            Proof.admin.describeProducers(List.of(new TopicPartition("bump", 0)))
                .partitionResult(new TopicPartition("bump", 0)).get().activeProducers();
        Proof.equal(producers.size(), 1, "active producers");
        Proof.equal(producers.get(0).producerEpoch(), epoch, "epoch at the partition");
        Proof.check(producers.get(0).currentTransactionStartOffset().isPresent(), "start offset");
        if (round == 1) producer.abortTransaction();
        else producer.commitTransaction();
        Proof.eventually("epoch after transaction " + round, 10,
            () -> describe("bump").producerEpoch() == epoch + 1);
      }
    }
    Proof.equal(Proof.settled("bump"), List.of("round 0", "round 2"), "records");
  }

  private static Long committedOffset(String group, TopicPartition at) throws Exception {
    OffsetAndMetadata found =
        Proof.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(at);
    return found == null ? null : found.offset();
  }

  /** Offsets of a transaction count when it is committed, and never where it is aborted. */
  static void offsets() throws Exception {
    Proof.topic("offsets", 1);
    TopicPartition at = new TopicPartition("offsets", 0);
    ConsumerGroupMetadata group = new ConsumerGroupMetadata("offsets");
    try (var producer = Proof.transactional("offsets")) {
      producer.beginTransaction();
      producer.sendOffsetsToTransaction(Proof.offset("offsets", 0, 5), group);
      Proof.equal(committedOffset("offsets", at), null, "offset in an open transaction");
      producer.abortTransaction();
      Proof.equal(committedOffset("offsets", at), null, "offset of an aborted transaction");
      producer.beginTransaction();
      producer.sendOffsetsToTransaction(Proof.offset("offsets", 0, 7), group);
      producer.commitTransaction();
      Proof.eventually("offset of a committed transaction", 10,
          () -> Long.valueOf(7).equals(committedOffset("offsets", at)));
      producer.beginTransaction();
      producer.sendOffsetsToTransaction(Proof.offset("offsets", 0, 9), group);
      try (var stable = Proof.consumer("group.id", "offsets", "isolation.level", "read_committed",
          "default.api.timeout.ms", "1500")) {
        Proof.fails("a stable offset while a transaction is open",
            () -> stable.committed(Set.of(at)), TimeoutException.class);
        producer.commitTransaction();
        Proof.equal(stable.committed(Set.of(at), Duration.ofSeconds(10)).get(at).offset(), 9L,
            "stable offset");
      }
    }
  }

  private static void join(KafkaConsumer<String, String> consumer, String topic) throws Exception {
    consumer.subscribe(List.of(topic));
    Proof.eventually("an assignment", 30, () -> {
      consumer.poll(Proof.POLL);
      return !consumer.assignment().isEmpty();
    });
  }

  /** Offsets in a transaction are refused from who is no longer, or not yet, a member (KIP-447). */
  static void groupFencing(String protocol) throws Exception {
    String name = "group-" + protocol;
    Proof.topic(name, 1);
    try (var producer = Proof.transactional(name)) {
      ConsumerGroupMetadata left;
      try (var consumer = Proof.consumer("group.id", name, "group.protocol", protocol)) {
        join(consumer, name);
        producer.beginTransaction();
        producer.sendOffsetsToTransaction(Proof.offset(name, 0, 0), consumer.groupMetadata());
        producer.commitTransaction();
        left = consumer.groupMetadata();
      }
      try (var successor = Proof.consumer("group.id", name, "group.protocol", protocol)) {
        join(successor, name);
        producer.beginTransaction();
        Proof.fails("offsets of a member that has left",
            () -> producer.sendOffsetsToTransaction(Proof.offset(name, 0, 3), left),
            CommitFailedException.class);
        producer.abortTransaction();
        producer.beginTransaction();
        ConsumerGroupMetadata stale =
            new ConsumerGroupMetadata(name, successor.groupMetadata().generationId() - 1,
                successor.groupMetadata().memberId(), java.util.Optional.empty());
        Proof.fails("offsets of an earlier generation",
            () -> producer.sendOffsetsToTransaction(Proof.offset(name, 0, 4), stale),
            CommitFailedException.class);
        producer.abortTransaction();
        producer.beginTransaction();
        producer.sendOffsetsToTransaction(Proof.offset(name, 0, 6), successor.groupMetadata());
        producer.commitTransaction();
        TopicPartition at = new TopicPartition(name, 0);
        Proof.eventually("the successor's offset", 10,
            () -> Long.valueOf(6).equals(committedOffset(name, at)));
      }
    }
  }

  /** The coordinator aborts a transaction that is open for too long, and shuts its producer out. */
  static void timeout() throws Exception {
    Proof.topic("timeout", 1);
    try (var producer = Proof.transactional("timeout", "transaction.timeout.ms", "1000")) {
      producer.beginTransaction();
      Proof.send(producer, "timeout", 0, "slow");
      Proof.eventually("the abort", 20, () -> Proof.end("timeout", 0, "read_committed") == 2);
      Proof.fails("the commit", producer::commitTransaction,
          InvalidTxnStateException.class);
    }
    try (var producer = Proof.transactional("timeout")) {
      producer.beginTransaction();
      Proof.send(producer, "timeout", 0, "next");
      producer.commitTransaction();
    }
    Proof.equal(Proof.settled("timeout"), List.of("next"), "records");
  }

  private static Set<String> listed(ListTransactionsOptions options) throws Exception {
    return Proof.admin.listTransactions(options).all().get().stream()
        .map(TransactionListing::transactionalId)
        .filter(id -> id.startsWith("admin-"))
        .collect(Collectors.toSet());
  }

  /** What is seen of transactions, and how their producers are shut out by hand. */
  static void admin() throws Exception {
    Proof.topic("admin", 2);
    try (var open = Proof.transactional("admin-open"); var done = Proof.transactional("admin-done")) {
      done.beginTransaction();
      Proof.send(done, "admin", 0, "done");
      done.commitTransaction();
      open.beginTransaction();
      Proof.send(open, "admin", 1, "open");
      Proof.equal(listed(new ListTransactionsOptions()), Set.of("admin-open", "admin-done"), "all");
      Proof.equal(
          listed(new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING))),
          Set.of("admin-open"), "ongoing");
      Proof.equal(listed(new ListTransactionsOptions().filterOnTransactionalIdPattern("admin-d.*")),
          Set.of("admin-done"), "by pattern");
      Proof.equal(listed(new ListTransactionsOptions().filterOnDuration(60_000)), Set.of(), "by duration");
      TransactionDescription described = describe("admin-open");
      Proof.equal(described.state(), TransactionState.ONGOING, "state");
      Proof.equal(described.topicPartitions(), Set.of(new TopicPartition("admin", 1)), "partitions");
      Proof.equal(
          listed(new ListTransactionsOptions().filterProducerIds(List.of(described.producerId()))),
          Set.of("admin-open"), "by producer id");
      Proof.fails("a description of what is not there", () -> describe("admin-none"),
          TransactionalIdNotFoundException.class);
      Proof.admin.fenceProducers(List.of("admin-open")).all().get();
      Proof.fails("the fenced producer", open::commitTransaction, ProducerFencedException.class);
    }
    Proof.equal(Proof.settled("admin"), List.of("done"), "records");
  }

  /** Transactions over many partitions are there as a whole or not at all. */
  static void manyPartitions() throws Exception {
    int partitions = 40;
    Proof.topic("many", partitions);
    Map<Boolean, String> kinds = Map.of(true, "kept", false, "dropped");
    try (var producer = Proof.transactional("many", "linger.ms", "5")) {
      for (int round = 0; round < 20; round++) {
        boolean keep = round % 3 != 1;
        producer.beginTransaction();
        for (int partition = 0; partition < partitions; partition++) {
          String value = kinds.get(keep) + " " + round;
          producer.send(new ProducerRecord<>("many", partition, null, value));
        }
        // Kafka fences who ends an empty transaction while the markers of the last are on the way.
        producer.flush();
        if (keep) producer.commitTransaction();
        else producer.abortTransaction();
      }
    }
    List<String> expected = new ArrayList<>();
    for (int partition = 0; partition < partitions; partition++) {
      for (int round = 0; round < 20; round++) if (round % 3 != 1) expected.add("kept " + round);
    }
    Proof.equal(Proof.settled("many"), expected, "records");
  }
}
