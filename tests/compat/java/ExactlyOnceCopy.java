import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Copies a topic in transactions and may be killed at any time: {@code BROKER fill IN OUT COUNT},
 * {@code BROKER copy IN OUT PROTOCOL NAME} (ends when the group has committed everything) and
 * {@code BROKER verify IN OUT COUNT}.
 */
final class ExactlyOnceCopy {
  private static final int PARTITIONS = 4;
  private static final int POLL_RECORDS = 50;
  private static final int ABORT_EVERY = 7;

  private ExactlyOnceCopy() {}

  public static void main(String[] args) throws Exception {
    Proof.connect(args[0]);
    switch (args[1]) {
      case "fill" -> fill(args[2], args[3], Integer.parseInt(args[4]));
      case "copy" -> copy(args[2], args[3], args[4], args[5]);
      case "verify" -> verify(args[2], args[3], Integer.parseInt(args[4]));
      default -> throw new IllegalArgumentException(args[1]);
    }
    System.out.println("done " + args[1]);
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static void fill(String in, String out, int count) throws Exception {
    Proof.topic(in, PARTITIONS);
    Proof.topic(out, PARTITIONS);
    try (var producer = Proof.producer("linger.ms", "20")) {
      for (int i = 0; i < count; i++) {
        producer.send(new ProducerRecord<>(in, i % PARTITIONS, null, String.valueOf(i)));
      }
    }
  }

  /** Every value has to be there once, in the order of its partition. */
  private static void verify(String in, String out, int count) throws Exception {
    List<String> expected = new ArrayList<>();
    for (int partition = 0; partition < PARTITIONS; partition++) {
      for (int i = partition; i < count; i += PARTITIONS) expected.add(String.valueOf(i));
    }
    Proof.equal(Proof.committed(in).size(), count, "input");
    List<String> actual = Proof.settled(out);
    Proof.equal(new HashSet<>(actual).size(), actual.size(), "distinct values of " + actual.size());
    Proof.equal(actual.size(), count, "records");
    Proof.equal(actual, expected, "output");
  }

  private static void copy(String in, String out, String protocol, String name) throws Exception {
    List<String> config =
        new ArrayList<>(List.of("group.id", in + "-copy", "group.protocol", protocol,
            "max.poll.records", String.valueOf(POLL_RECORDS), "isolation.level", "read_committed"));
    if (protocol.equals("classic")) {
      config.addAll(List.of("session.timeout.ms", "3000", "heartbeat.interval.ms", "300"));
    }
    try (var consumer = Proof.consumer(config.toArray(String[]::new));
        var producer = Proof.transactional("copy-" + name)) {
      consumer.subscribe(List.of(in));
      int transactions = 0;
      while (!finished(consumer, in)) {
        var records = consumer.poll(Proof.POLL);
        if (records.isEmpty()) continue;
        producer.beginTransaction();
        records.forEach(record ->
            producer.send(new ProducerRecord<>(out, record.partition(), null, record.value())));
        producer.sendOffsetsToTransaction(records.nextOffsets(), consumer.groupMetadata());
        if (++transactions % ABORT_EVERY == 0) {
          abort(consumer, producer);
        } else {
          producer.commitTransaction();
          System.out.println("committed " + records.count());
        }
      }
    }
  }

  private static void abort(KafkaConsumer<String, String> consumer, KafkaProducer<?, ?> producer) {
    producer.abortTransaction();
    Set<TopicPartition> assigned = consumer.assignment();
    var offsets = consumer.committed(assigned);
    for (TopicPartition at : assigned) {
      if (offsets.get(at) != null) consumer.seek(at, offsets.get(at).offset());
      else consumer.seekToBeginning(Set.of(at));
    }
  }

  /** Whether the group has committed all of the input. */
  private static boolean finished(KafkaConsumer<String, String> consumer, String in) throws Exception {
    Set<TopicPartition> assigned = consumer.assignment();
    if (assigned.isEmpty()) return false;
    Map<TopicPartition, Long> ends = consumer.endOffsets(assigned);
    for (TopicPartition at : assigned) if (consumer.position(at) < ends.get(at)) return false;
    var offsets =
        Proof.admin.listConsumerGroupOffsets(in + "-copy").partitionsToOffsetAndMetadata().get();
    for (int index = 0; index < PARTITIONS; index++) {
      TopicPartition at = new TopicPartition(in, index);
      if (offsets.get(at) == null) return false;
      long end = Proof.end(in, index, "read_committed");
      if (offsets.get(at).offset() < end) return false;
    }
    return true;
  }
}
