import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;

/**
 * Serialises random messages with Kafka's generated classes: `Oracle SEED SAMPLES NAME...`. For
 * each message and version, the first sample has every default, the others are random. Output on
 * stdout, per sample: int16 length and bytes of the name, int16 version, int32 length, message.
 */
public final class Oracle {
    private static final String[] PACKAGES = {
        "org.apache.kafka.common.message.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.",
        "org.apache.kafka.coordinator.share.generated.",
    };

    private final Random random;

    private Oracle(long seed) {
        this.random = new Random(seed);
    }

    public static void main(String[] args) throws Exception {
        long seed = Long.parseLong(args[0]);
        int samples = Integer.parseInt(args[1]);
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out))) {
            for (int i = 2; i < args.length; i++) {
                Class<?> type = find(args[i]);
                if (type == null) System.err.println("missing " + args[i]);
                else new Oracle(seed + i).write(args[i], type, samples, out);
            }
        }
    }

    private static Class<?> find(String name) {
        for (String prefix : PACKAGES) {
            for (String suffix : new String[] {"Data", ""}) {
                try {
                    return Class.forName(prefix + name + suffix);
                } catch (ClassNotFoundException tryNext) {
                    continue;
                }
            }
        }
        return null;
    }

    private void write(String name, Class<?> type, int samples, DataOutputStream out)
            throws Exception {
        Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
        for (short version = 0; version < schemas.length; version++) {
            if (schemas[version] == null) continue;
            for (int sample = 0; sample < samples; sample++) {
                Message message = (Message) type.getConstructor().newInstance();
                if (sample > 0) fill(message, schemas[version]);
                ObjectSerializationCache cache = new ObjectSerializationCache();
                ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
                message.write(new ByteBufferAccessor(buffer), cache, version);
                if (buffer.hasRemaining()) throw new IllegalStateException(name + " is short");
                byte[] nameBytes = name.getBytes(StandardCharsets.UTF_8);
                out.writeShort(nameBytes.length);
                out.write(nameBytes);
                out.writeShort(version);
                out.writeInt(buffer.capacity());
                out.write(buffer.array());
            }
        }
    }

    /** Gives random values to those fields that the version's schema has. */
    private void fill(Message message, Schema schema) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields) {
                TaggedFields tagged = (TaggedFields) bound.def.type;
                for (org.apache.kafka.common.protocol.types.Field field : tagged.fields().values()) {
                    if (random.nextInt(3) > 0) fillField(message, field);
                }
                addUnknownTags(message);
            } else {
                fillField(message, bound.def);
            }
        }
    }

    private void addUnknownTags(Message message) {
        int tag = 100;
        while (random.nextInt(4) == 0) {
            tag += 1 + random.nextInt(200);
            message.unknownTaggedFields().add(new RawTaggedField(tag, bytes()));
        }
    }

    private void fillField(Message message, org.apache.kafka.common.protocol.types.Field def)
            throws Exception {
        Field field = fieldOf(message.getClass(), def.name.replace("_", ""));
        field.setAccessible(true);
        if (def.type.isNullable() && random.nextInt(4) == 0) {
            field.set(message, null);
            return;
        }
        field.set(message, value(field.getType(), field.getGenericType(), def.type));
    }

    private static Field fieldOf(Class<?> type, String lowerCaseName) {
        for (Field field : type.getDeclaredFields()) {
            if (field.getName().equalsIgnoreCase(lowerCaseName)) return field;
        }
        throw new IllegalStateException(type + " has no field " + lowerCaseName);
    }

    private Object value(Class<?> type, Type generic, org.apache.kafka.common.protocol.types.Type wire)
            throws Exception {
        if (type == boolean.class) return random.nextBoolean();
        if (type == byte.class || type == Byte.class) return (byte) number(8);
        if (type == short.class || type == Short.class) return (short) number(16);
        if (type == int.class || type == Integer.class) {
            boolean unsigned = wire == org.apache.kafka.common.protocol.types.Type.UINT16;
            return unsigned ? random.nextInt(65536) : (int) number(32);
        }
        if (type == long.class || type == Long.class) return number(64);
        if (type == double.class) return random.nextGaussian() * 1e9;
        if (type == String.class) return text();
        if (type == Uuid.class) return new Uuid(random.nextLong(), random.nextLong());
        if (type == byte[].class) return bytes();
        if (type == ByteBuffer.class) return ByteBuffer.wrap(bytes());
        if (type.getSimpleName().equals("BaseRecords")) return records();
        if (Collection.class.isAssignableFrom(type)) return collection(type, generic, wire);
        Message struct = (Message) type.getConstructor().newInstance();
        fill(struct, (Schema) wire);
        return struct;
    }

    /** Record batches need not be valid, as nothing parses them. */
    private Object records() throws Exception {
        // By name, as Kafka 4.3 has the class elsewhere, and no use for it in coordinators' records.
        return Class.forName("org.apache.kafka.common.record.internal.MemoryRecords")
            .getMethod("readableRecords", ByteBuffer.class)
            .invoke(null, ByteBuffer.wrap(bytes()));
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private Object collection(Class<?> type, Type generic, org.apache.kafka.common.protocol.types.Type wire)
            throws Exception {
        org.apache.kafka.common.protocol.types.Type element = wire.arrayElementType().get();
        // Elements with a key are in a collection of a class of their own.
        boolean keyed = type != List.class;
        Type parameterized = keyed ? type.getGenericSuperclass() : generic;
        Class<?> elementType =
            (Class<?>) ((ParameterizedType) parameterized).getActualTypeArguments()[0];
        Collection into = keyed ? (Collection) type.getConstructor().newInstance() : new ArrayList<>();
        // Now and then so many that a varint of the count takes two bytes.
        boolean many = !(element instanceof Schema) && random.nextInt(20) == 0;
        for (int left = many ? 150 : random.nextInt(4); left > 0; left--) {
            into.add(value(elementType, elementType, element));
        }
        return into;
    }

    /** Small numbers, extremes and everything between. */
    private long number(int bits) {
        switch (random.nextInt(4)) {
            case 0: return random.nextInt(5) - 2;
            case 1: return random.nextBoolean() ? -1L << (bits - 1) : (1L << (bits - 1)) - 1;
            default: return random.nextLong() >> (64 - bits);
        }
    }

    private String text() {
        int length = random.nextInt(12) == 0 ? 100 + random.nextInt(400) : random.nextInt(20);
        StringBuilder text = new StringBuilder();
        boolean ascii = random.nextInt(3) > 0;
        for (int i = 0; i < length; i++) {
            if (ascii) text.append((char) (32 + random.nextInt(95)));
            else text.appendCodePoint(new int[] {0, 233, 8364, 128512, 97}[random.nextInt(5)]);
        }
        return text.toString();
    }

    private byte[] bytes() {
        byte[] bytes = new byte[random.nextInt(10) == 0 ? 2000 + random.nextInt(2000) : random.nextInt(200)];
        random.nextBytes(bytes);
        return bytes;
    }
}
