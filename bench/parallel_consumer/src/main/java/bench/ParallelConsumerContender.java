package bench;

import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.CommitMode;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.vertx.VertxParallelEoSStreamProcessor;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.client.HttpResponse;
import io.vertx.ext.web.client.WebClient;
import io.vertx.ext.web.client.WebClientOptions;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Parallel Consumer in KEY order, one POST an event over Vert.x, commits once a second. */
public final class ParallelConsumerContender {
  private final WebClient client;
  private final URI url;

  private ParallelConsumerContender(WebClient client, URI url) {
    this.client = client;
    this.url = url;
  }

  public static void main(String[] arguments) {
    String bootstrapServers = arguments[0];
    String topic = arguments[1];
    String groupId = arguments[2];
    URI url = URI.create(arguments[3]);
    int inFlight = Integer.parseInt(arguments[4]);

    Map<String, Object> properties =
        Map.of(
            "bootstrap.servers", bootstrapServers,
            "group.id", groupId,
            "auto.offset.reset", "earliest",
            "enable.auto.commit", false);
    KafkaConsumer<String, byte[]> consumer =
        new KafkaConsumer<>(properties, new StringDeserializer(), new ByteArrayDeserializer());
    ParallelConsumerOptions<String, byte[]> options =
        ParallelConsumerOptions.<String, byte[]>builder()
            .consumer(consumer)
            .ordering(ProcessingOrder.KEY)
            .maxConcurrency(inFlight)
            .commitMode(CommitMode.PERIODIC_CONSUMER_ASYNCHRONOUS)
            .commitInterval(Duration.ofSeconds(1))
            .build();
    Vertx vertx = Vertx.vertx();
    WebClientOptions pool =
        new WebClientOptions().setMaxPoolSize(inFlight).setKeepAlive(true).setTcpNoDelay(true);
    WebClient client = WebClient.create(vertx, pool);
    ParallelConsumerContender contender = new ParallelConsumerContender(client, url);
    var processor = new VertxParallelEoSStreamProcessor<String, byte[]>(vertx, client, options);
    processor.subscribe(List.of(topic));
    processor.vertxFuture(
        context -> contender.send(new JsonObject(Buffer.buffer(context.getSingleConsumerRecord().value()))));
    Runtime.getRuntime()
        .addShutdownHook(new Thread(() -> processor.closeDontDrainFirst(Duration.ofSeconds(5))));
  }

  private Future<HttpResponse<Buffer>> send(JsonObject event) {
    return client
        .post(url.getPort(), url.getHost(), url.getPath())
        .putHeader("Content-Type", "application/json")
        .putHeader("Authorization", "Bearer benchmark-key")
        .sendBuffer(body(event).toBuffer())
        .compose(
            response ->
                response.statusCode() / 100 == 2
                    ? Future.succeededFuture(response)
                    : Future.failedFuture("status " + response.statusCode()));
  }

  private static JsonObject body(JsonObject event) {
    JsonObject user =
        new JsonObject().put("user_customer_id", event.getString("userId")).put("anonymous", false);
    JsonObject sent = new JsonObject();
    String type = event.getString("type");
    switch (type) {
      case "identify" -> {
        sent.put("event_type", "identify");
        if (event.containsKey("traits")) {
          user.put("properties", event.getValue("traits"));
        }
      }
      case "track" -> sent.put("event_type", "track").put("event_customer_id", event.getString("event"));
      default -> sent.put("event_type", type + "view").put("name", event.getString("name"));
    }
    if (!type.equals("identify") && event.containsKey("properties")) {
      sent.put("properties", event.getValue("properties"));
    }
    sent.put("insert_id", event.getString("messageId"));
    sent.put("event_timestamp", event.getString("timestamp").replace('T', ' '));
    return new JsonObject().put("user", user).put("events", new JsonArray().add(sent));
  }
}
