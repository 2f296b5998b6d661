import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidRecordStateException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Share groups by Kafka's own share consumer: acknowledgements, redelivery, limits (KIP-932). */
final class ShareConsumers {
  private static final int DELIVERY_LIMIT = 5;

  private ShareConsumers() {}

  public static void main(String[] args) throws Exception {
    if (args.length == 4 && args[1].equals("hold")) {
      hold(args);
      return;
    }
    LinkedHashMap<String, Proof.Scenario> scenarios = new LinkedHashMap<>();
    scenarios.put("explicit", ShareConsumers::explicit);
    scenarios.put("several-members", ShareConsumers::severalMembers);
    scenarios.put("delivery-limit", ShareConsumers::deliveryLimit);
    scenarios.put("lock-expiry", ShareConsumers::lockExpiry);
    scenarios.put("renew", ShareConsumers::renew);
    scenarios.put("isolation", ShareConsumers::isolation);
    scenarios.put("after-crash", ShareConsumers::afterCrash);
    Proof.main(args, scenarios);
  }

  private static void configure(String group, String... pairs) throws Exception {
    List<AlterConfigOp> changes = new ArrayList<>();
    for (int i = 0; i < pairs.length; i += 2) {
      ConfigEntry entry = new ConfigEntry(pairs[i], pairs[i + 1]);
      changes.add(new AlterConfigOp(entry, AlterConfigOp.OpType.SET));
    }
    var resource = new ConfigResource(ConfigResource.Type.GROUP, group);
    Proof.admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
  }

  /** A group that begins at the start of its topic, which has values `0` … in one partition. */
  private static void prepare(String name, int records, String... config) throws Exception {
    Proof.topic(name, 1);
    configure(name, "share.auto.offset.reset", "earliest");
    if (config.length > 0) configure(name, config);
    String[] values = new String[records];
    for (int i = 0; i < records; i++) values[i] = String.valueOf(i);
    try (var producer = Proof.producer()) {
      Proof.send(producer, name, 0, values);
    }
  }

  private static KafkaShareConsumer<String, String> member(String group, String mode, String... pairs) {
    Properties properties =
        Proof.config("group.id", group, "share.acknowledgement.mode", mode, "fetch.max.wait.ms", "100");
    properties.putAll(Proof.config(pairs));
    var consumer =
        new KafkaShareConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    consumer.subscribe(List.of(group));
    return consumer;
  }

  /** Polls until records come. */
  private static List<ConsumerRecord<String, String>> some(KafkaShareConsumer<String, String> consumer)
      throws Exception {
    List<ConsumerRecord<String, String>> got = new ArrayList<>();
    Proof.eventually("records", 20, () -> {
      consumer.poll(Proof.POLL).forEach(got::add);
      return !got.isEmpty();
    });
    return got;
  }

  private static void settle(KafkaShareConsumer<String, String> consumer) {
    consumer.commitSync(Duration.ofSeconds(10)).forEach((partition, error) -> {
      if (error.isPresent()) throw error.get();
    });
  }

  /** Accepted records are gone, rejected ones too, released ones come again with a higher count. */
  private static void explicit() throws Exception {
    prepare("explicit", 12);
    Map<Integer, Integer> deliveries = new TreeMap<>();
    try (var consumer = member("explicit", "explicit")) {
      Proof.eventually("12 records with four of them twice", 30, () -> {
        for (var record : consumer.poll(Proof.POLL)) {
          int value = Integer.parseInt(record.value());
          int count = deliveries.merge(value, 1, Integer::sum);
          Proof.equal(record.deliveryCount().get(), (short) count, "delivery count of " + value);
          if (value % 3 == 0) consumer.acknowledge(record, AcknowledgeType.REJECT);
          else if (value % 3 == 1 && count == 1) consumer.acknowledge(record, AcknowledgeType.RELEASE);
          else consumer.acknowledge(record, AcknowledgeType.ACCEPT);
        }
        settle(consumer);
        return deliveries.values().stream().mapToInt(Integer::intValue).sum() == 16;
      });
      for (int polls = 0; polls < 5; polls++) {
        Proof.check(consumer.poll(Proof.POLL).isEmpty(), "a record more than there should be");
      }
    }
    deliveries.forEach((value, count) -> Proof.equal(count, value % 3 == 1 ? 2 : 1, "of " + value));
  }

  /** Members of one group share a partition, and each record goes to one of them. */
  private static void severalMembers() throws Exception {
    prepare("several", 600);
    Map<String, Integer> seen = new HashMap<>();
    try (var one = member("several", "implicit", "max.poll.records", "20");
        var two = member("several", "implicit", "max.poll.records", "20")) {
      Set<Integer> served = new HashSet<>();
      Proof.eventually("600 records", 40, () -> {
        one.poll(Duration.ofMillis(50)).forEach(record -> {
          seen.merge(record.value(), 1, Integer::sum);
          served.add(1);
        });
        two.poll(Duration.ofMillis(50)).forEach(record -> {
          seen.merge(record.value(), 1, Integer::sum);
          served.add(2);
        });
        return seen.size() == 600;
      });
      settle(one);
      settle(two);
    }
    Proof.check(seen.values().stream().allMatch(count -> count == 1), "a record came twice: " + seen);
  }

  /** What nobody accepts is given up after the limit. */
  private static void deliveryLimit() throws Exception {
    prepare("limit", 3);
    Map<String, Integer> deliveries = new TreeMap<>();
    try (var consumer = member("limit", "explicit")) {
      Proof.eventually("the limit of all records", 30, () -> {
        for (var record : consumer.poll(Proof.POLL)) {
          deliveries.merge(record.value(), 1, Integer::sum);
          consumer.acknowledge(record, AcknowledgeType.RELEASE);
        }
        settle(consumer);
        return deliveries.size() == 3
            && deliveries.values().stream().allMatch(count -> count >= DELIVERY_LIMIT);
      });
      try (var producer = Proof.producer()) {
        Proof.send(producer, "limit", 0, "next");
      }
      var next = some(consumer);
      Proof.equal(next.get(0).value(), "next", "what comes after the limit");
      consumer.acknowledge(next.get(0), AcknowledgeType.ACCEPT);
      settle(consumer);
    }
    Proof.equal(deliveries, Map.of("0", 5, "1", 5, "2", 5), "deliveries");
  }

  /** A record whose member does nothing is another's when the lock has expired. */
  private static void lockExpiry() throws Exception {
    prepare("expiry", 1, "share.record.lock.duration.ms", "1000");
    try (var slow = member("expiry", "explicit"); var other = member("expiry", "explicit")) {
      var first = some(slow).get(0);
      Proof.equal(first.deliveryCount().get(), (short) 1, "first delivery");
      var again = some(other).get(0);
      Proof.equal(again.deliveryCount().get(), (short) 2, "second delivery");
      slow.acknowledge(first, AcknowledgeType.REJECT);
      Proof.fails("an acknowledgement of what another has", () -> settle(slow),
          InvalidRecordStateException.class);
      other.acknowledge(again, AcknowledgeType.ACCEPT);
      settle(other);
    }
  }

  /** Who renews the lock keeps the record for as long as it likes (KIP-1222). */
  private static void renew() throws Exception {
    prepare("renew", 1, "share.record.lock.duration.ms", "2000");
    try (var slow = member("renew", "explicit"); var other = member("renew", "explicit")) {
      var record = some(slow).get(0);
      for (int round = 0; round < 5; round++) {
        slow.acknowledge(record, AcknowledgeType.RENEW);
        settle(slow);
        Proof.check(other.poll(Duration.ofMillis(800)).isEmpty(), "another got what was renewed");
        slow.poll(Duration.ZERO);
      }
      slow.acknowledge(record, AcknowledgeType.ACCEPT);
      settle(slow);
      Proof.check(other.poll(Duration.ofMillis(2500)).isEmpty(), "another got what was accepted");
    }
  }

  /** Under read_committed nothing of an aborted transaction is delivered. */
  private static void isolation() throws Exception {
    prepare("share-isolation", 1, "share.isolation.level", "read_committed");
    try (var producer = Proof.transactional("share-isolation")) {
      producer.beginTransaction();
      Proof.send(producer, "share-isolation", 0, "aborted");
      producer.abortTransaction();
      producer.beginTransaction();
      Proof.send(producer, "share-isolation", 0, "committed");
      producer.commitTransaction();
    }
    List<String> values = new ArrayList<>();
    try (var consumer = member("share-isolation", "implicit")) {
      Proof.eventually("two records", 20, () -> {
        consumer.poll(Proof.POLL).forEach(record -> values.add(record.value()));
        return values.size() >= 2;
      });
    }
    Proof.equal(values, List.of("0", "committed"), "records");
  }

  /** In a process of its own: {@code BROKER hold GROUP RECORDS} takes records and keeps them. */
  private static void hold(String[] args) throws Exception {
    Proof.connect(args[0]);
    prepare(args[2], Integer.parseInt(args[3]), "share.record.lock.duration.ms", "2000");
    var consumer = member(args[2], "explicit");
    System.out.println("holds " + some(consumer).size());
    System.out.flush();
    Thread.sleep(60_000);
  }

  /** What the killed process of {@code hold crash 5} had comes to another member. */
  private static void afterCrash() throws Exception {
    List<String> values = new ArrayList<>();
    List<Short> counts = new ArrayList<>();
    try (var consumer = member("crash", "explicit")) {
      Proof.eventually("all records", 30, () -> {
        for (var record : consumer.poll(Proof.POLL)) {
          values.add(record.value());
          counts.add(record.deliveryCount().get());
          consumer.acknowledge(record);
        }
        settle(consumer);
        return values.size() >= 5;
      });
    }
    Proof.equal(values, List.of("0", "1", "2", "3", "4"), "records");
    Proof.check(counts.stream().allMatch(count -> count >= 1 && count <= 2), "counts " + counts);
  }
}
