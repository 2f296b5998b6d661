import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Values;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * What Kafka Connect's own classes make of values: a case per line of JSON on standard input, an answer
 * per line on standard output. Records come and go as JSON that says the types.
 */
@SuppressWarnings({"rawtypes", "unchecked"})
public class ConnectOracle {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    public static void main(String[] args) throws Exception {
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer;
            try {
                answer = answer(MAPPER.readTree(line));
            } catch (Throwable e) {
                answer = MAPPER.createObjectNode().put("error", String.valueOf(e));
            }
            out.println(MAPPER.writeValueAsString(answer));
        }
        out.flush();
    }

    private static ObjectNode answer(JsonNode test) throws Exception {
        ObjectNode answer = MAPPER.createObjectNode();
        switch (test.get("kind").asText()) {
            case "transform":
                return transform(test);
            case "predicate": {
                Predicate predicate = make(test);
                predicate.configure(config(test));
                return answer.put("result", predicate.test(record(test.get("record"))));
            }
            case "read": {
                byte[] bytes = Base64.getDecoder().decode(test.get("bytes").asText());
                return show(answer, converter(test).toConnectData("t", bytes));
            }
            case "write": {
                SchemaAndValue data = data(test.get("data"));
                byte[] bytes = converter(test).fromConnectData("t", data.schema(), data.value());
                String text = bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
                return answer.put("bytes", text);
            }
            case "literal":
                return show(answer, Values.parseString(test.get("text").asText()));
            case "text": {
                SchemaAndValue data = data(test.get("data"));
                return answer.put("text", Values.convertToString(data.schema(), data.value()));
            }
            default:
                throw new IllegalArgumentException(test.get("kind").asText());
        }
    }

    private static <T> T make(JsonNode test) throws Exception {
        return (T) Class.forName(test.get("class").asText()).getDeclaredConstructor().newInstance();
    }

    private static Map<String, String> config(JsonNode test) {
        Map<String, String> config = new HashMap<>();
        test.get("config").fields().forEachRemaining(e -> config.put(e.getKey(), e.getValue().asText()));
        return config;
    }

    private static Converter converter(JsonNode test) throws Exception {
        Converter converter = make(test);
        converter.configure(config(test), false);
        return converter;
    }

    private static ObjectNode transform(JsonNode test) throws Exception {
        Transformation transform = make(test);
        transform.configure(config(test));
        ConnectRecord record = (ConnectRecord) transform.apply(record(test.get("record")));
        ObjectNode answer = MAPPER.createObjectNode();
        if (record == null) return answer.put("dropped", true);
        answer.put("topic", record.topic());
        answer.set("key", show(MAPPER.createObjectNode(), new SchemaAndValue(record.keySchema(), record.key())));
        answer.set("value", show(MAPPER.createObjectNode(), new SchemaAndValue(record.valueSchema(), record.value())));
        ArrayNode headers = answer.putArray("headers");
        for (Object each : record.headers()) {
            Header header = (Header) each;
            ObjectNode shown = show(MAPPER.createObjectNode(), new SchemaAndValue(header.schema(), header.value()));
            headers.add(shown.put("name", header.key()));
        }
        return answer;
    }

    /** A value as JSON, in an envelope with its schema or without one. */
    private static SchemaAndValue data(JsonNode node) {
        JsonConverter converter = new JsonConverter();
        converter.configure(Map.of(
            "schemas.enable", node.get("schemas").asText(),
            "replace.null.with.default", "false",
            "converter.type", "value"));
        if (node.get("json").isNull()) return SchemaAndValue.NULL;
        byte[] json = node.get("json").asText().getBytes(StandardCharsets.UTF_8);
        return converter.toConnectData("t", json);
    }

    private static ConnectRecord record(JsonNode node) {
        SchemaAndValue key = data(node.get("key"));
        SchemaAndValue value = data(node.get("value"));
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode header : node.get("headers")) {
            SchemaAndValue of = data(header);
            headers.add(header.get("name").asText(), of);
        }
        String topic = node.get("topic").asText();
        Integer partition = node.get("partition").isNull() ? null : node.get("partition").asInt();
        Long timestamp = node.get("timestamp").isNull() ? null : node.get("timestamp").asLong();
        if (node.get("offset").isNull()) {
            return new SourceRecord(null, null, topic, partition, key.schema(), key.value(),
                value.schema(), value.value(), timestamp, headers);
        }
        return new SinkRecord(topic, partition == null ? 0 : partition, key.schema(), key.value(),
            value.schema(), value.value(), node.get("offset").asLong(), timestamp,
            TimestampType.CREATE_TIME, headers);
    }

    private static ObjectNode show(ObjectNode to, SchemaAndValue data) {
        if (data == null) data = SchemaAndValue.NULL;
        to.set("schema", showSchema(data.schema()));
        to.set("value", showValue(data.value()));
        return to;
    }

    private static JsonNode showSchema(Schema schema) {
        if (schema == null) return MAPPER.nullNode();
        ObjectNode shown = MAPPER.createObjectNode().put("type", schema.type().getName());
        if (schema.isOptional()) shown.put("optional", true);
        if (schema.name() != null) shown.put("name", schema.name());
        if (schema.version() != null) shown.put("version", schema.version());
        if (schema.doc() != null) shown.put("doc", schema.doc());
        if (schema.parameters() != null) shown.set("parameters", MAPPER.valueToTree(schema.parameters()));
        if (schema.defaultValue() != null) shown.set("default", showValue(schema.defaultValue()));
        switch (schema.type()) {
            case ARRAY:
                shown.set("items", showSchema(schema.valueSchema()));
                break;
            case MAP:
                shown.set("keys", showSchema(schema.keySchema()));
                shown.set("values", showSchema(schema.valueSchema()));
                break;
            case STRUCT:
                ArrayNode fields = shown.putArray("fields");
                for (Field field : schema.fields()) {
                    fields.addArray().add(field.name()).add(showSchema(field.schema()));
                }
                break;
            default:
        }
        return shown;
    }

    private static JsonNode showValue(Object value) {
        ObjectNode shown = MAPPER.createObjectNode();
        if (value == null) return MAPPER.nullNode();
        if (value instanceof Boolean) return MAPPER.getNodeFactory().booleanNode((Boolean) value);
        if (value instanceof String) return MAPPER.getNodeFactory().textNode((String) value);
        if (value instanceof BigDecimal) {
            BigDecimal decimal = (BigDecimal) value;
            return shown.put("decimal", decimal.unscaledValue() + "e" + decimal.scale());
        }
        if (value instanceof Float) return shown.put("number", Double.toString((Float) value));
        if (value instanceof Number) return shown.put("number", value.toString());
        if (value instanceof Date) return shown.put("date", ((Date) value).getTime());
        if (value instanceof byte[]) return shown.put("bytes", Base64.getEncoder().encodeToString((byte[]) value));
        if (value instanceof ByteBuffer) return showValue(((ByteBuffer) value).array());
        if (value instanceof List) {
            ArrayNode list = MAPPER.createArrayNode();
            for (Object item : (List<?>) value) list.add(showValue(item));
            return list;
        }
        if (value instanceof Map) {
            ArrayNode entries = shown.putArray("map");
            ((Map<?, ?>) value).forEach((k, v) -> entries.addArray().add(showValue(k)).add(showValue(v)));
            return shown;
        }
        Struct struct = (Struct) value;
        ArrayNode fields = shown.putArray("struct");
        for (Field field : struct.schema().fields()) {
            fields.addArray().add(field.name()).add(showValue(struct.getWithoutDefault(field.name())));
        }
        return shown;
    }
}
