import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A producer and a consumer that are asked for their metrics (KIP-714) and work until standard input
 * ends: `ClientMetrics BOOTSTRAP`.
 */
final class ClientMetrics {
  private static final String TOPIC = "measured";

  private ClientMetrics() {}

  public static void main(String[] args) throws Exception {
    Proof.connect(args[0]);
    Proof.topic(TOPIC, 1);
    subscribe();
    var producer =
        new KafkaProducer<>(
            Proof.config("client.id", "shop", "compression.type", "none"),
            new StringSerializer(),
            new StringSerializer());
    var consumer =
        new KafkaConsumer<>(
            Proof.config("client.id", "desk", "group.id", "readers", "auto.offset.reset", "earliest"),
            new StringDeserializer(),
            new StringDeserializer());
    try (producer;
        consumer) {
      consumer.subscribe(List.of(TOPIC));
      while (System.in.available() == 0) {
        producer.send(new ProducerRecord<>(TOPIC, "value")).get();
        consumer.poll(Proof.POLL);
      }
    }
    System.out.println("done");
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  private static void subscribe() throws Exception {
    List<AlterConfigOp> changes = new ArrayList<>();
    Map.of("interval.ms", "500", "metrics", "org.apache.kafka.producer,org.apache.kafka.consumer")
        .forEach(
            (name, value) -> {
              ConfigEntry entry = new ConfigEntry(name, value);
              changes.add(new AlterConfigOp(entry, AlterConfigOp.OpType.SET));
            });
    var resource = new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "all");
    Proof.admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
  }
}
