/**
 * The log engine on a virtual clock and a faulty disk, driven by one seed and held against a model.
 * What must hold:
 *
 * - what was acknowledged under `fsync` survives a power cut, in order and once; a kill loses nothing
 * - offsets are dense, and reads give back the model's bytes
 * - a retry of one of a producer's last five batches is a duplicate with its first offsets, also
 *   after a restart; anything else has to be next in sequence
 * - a flipped bit costs at most its own batch, and reads past it work
 * - a full disk refuses appends and nothing else, and takes them again when there is room
 * - after a failed sync nothing is acknowledged any more
 */
import { errorName, Errors } from "../../core/errors.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import type { Happening, SimOptions } from "./sim-options.ts";
import { StorageChecks } from "./storage-checks.ts";
import { StorageClients } from "./storage-clients.ts";
import { flipBits, isOnDisk } from "./storage-damage.ts";
import { bumpEpoch, type ModelBatch } from "./storage-model.ts";
import { StorageWorld } from "./storage-world.ts";
import { expect, LivenessError } from "./violation.ts";

/** One run; see the head of this file. */
export class StorageSim {
  private readonly world: StorageWorld;
  private readonly checks: StorageChecks;
  private readonly clients: StorageClients;

  constructor(seed: number, logger: Logger = silentLogger) {
    this.world = new StorageWorld(seed, logger);
    this.checks = new StorageChecks(this.world);
    this.clients = new StorageClients(this.world, this.checks);
  }

  /** What the seed has chosen. */
  get options(): SimOptions {
    return this.world.options;
  }

  /** Everything that happened, for people who look at a failing seed. */
  get trace(): string[] {
    return this.world.trace;
  }

  /** Throws a `Violation` or a `LivenessError`; anything else that it throws is a crash. */
  run(): void {
    this.start(true);
    for (let step = 0; step < this.options.steps; step++) {
      this.happen(this.draw());
      this.checks.observe();
    }
    this.heal();
  }

  private draw(): Happening {
    const entries = Object.entries(this.world.options.weights) as [Happening, number][];
    let at = this.world.random.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
    for (const [name, weight] of entries) {
      at -= weight;
      if (at < 0) return name;
    }
    return "append";
  }

  private happen(what: Happening): void {
    const { clock, disk, models, random } = this.world;
    const partition = random.below(models.length);
    const model = models[partition]!;
    switch (what) {
      case "append":
        for (let left = random.between(1, 4); left > 0; left--) {
          this.clients.append(partition);
        }
        return;
      case "resend":
        return this.clients.resend(partition);
      case "wrongSequence":
        return this.clients.sendWrongSequence(partition);
      case "bumpEpoch":
        if (model.producers.length > 0) bumpEpoch(random.pick(model.producers));
        return;
      case "bumpLeaderEpoch":
        model.leaderEpoch += random.between(1, 3);
        return;
      case "wait":
        return clock.advance(random.pick([0.1, 2, 30, 500]));
      case "flush":
        return this.clients.flush(partition);
      case "read":
        return this.checks.readSome(partition);
      case "lookup":
        return this.checks.lookUp(partition);
      case "maintain":
        return this.clients.maintain();
      case "deleteRecords":
        return this.clients.deleteRecords(partition);
      case "truncate":
        if (!this.clients.truncate(partition)) this.crash(true);
        return;
      case "restart":
        return this.clients.restart(partition);
      case "recreate":
        return this.clients.recreate(partition);
      case "fillDisk":
        return this.fillDisk();
      case "failWrites":
        disk.faults.failingWritePercent = random.chance(50) ? 20 : 0;
        return;
      case "cleanRestart":
        return this.cleanRestart();
      case "kill":
        return this.crash(false);
      case "powerCut":
        return this.crash(true);
    }
  }

  private fillDisk(): void {
    const { disk, random } = this.world;
    const isFull = disk.faults.maxBytes < Infinity;
    disk.faults.maxBytes = isFull ? Infinity : disk.usedBytes() + random.below(3000);
    this.world.note(`disk ${isFull ? "has room" : "is full"}`);
  }

  private start(wasClean: boolean): void {
    this.world.stopFailures();
    this.world.disk.faults.maxBytes = Infinity;
    this.world.open();
    this.world.note(`open clean=${wasClean}`);
    this.world.disk.faults.failingSyncPercent = this.world.options.failingSyncPercent;
  }

  private cleanRestart(): void {
    const { clock, dir, disk, models } = this.world;
    if (dir.failure !== null) return;
    const free = disk.faults.maxBytes === Infinity;
    this.world.stopFailures();
    clock.run(dir.close());
    if (dir.failure !== null || disk.hasLostPages) return this.crash(true);
    clock.dropTimers();
    for (const model of models) {
      for (const batch of model.batches) batch.safe ||= free;
    }
    this.checkSurvivors("clean restart", () => true);
  }

  private crash(cutsPower: boolean): void {
    const { clock, dir, disk, options, random } = this.world;
    clock.dropTimers();
    // Linux forgets the pages of a failed sync: only a power cut shows what the device has.
    const failed = dir.failure !== null || disk.hasLostPages;
    if (!cutsPower && !failed) {
      disk.killProcess();
      this.world.note("kill");
      return this.checkSurvivors("kill", () => true);
    }
    const mode = random.pick(options.lossModes);
    disk.cutPower(mode);
    const flipped = options.flipsMax === 0 ? new Set<ModelBatch>() : flipBits(this.world, mode);
    for (const batch of flipped) batch.wasHit = true;
    this.world.note(
      `power cut, loss=${mode} flipped=${[...flipped].map((b) => b.baseOffset).join()}`,
    );
    this.checkSurvivors("power cut", (batch) => batch.safe);
  }

  /** Opens again, and compares what is there with what has to be there. */
  private checkSurvivors(after: string, mustSurvive: (batch: ModelBatch) => boolean): void {
    const intact = this.world.models.map((model) =>
      new Set(model.batches.filter((b) => isOnDisk(this.world, b)))
    );
    this.start(after === "clean restart");
    this.world.models.forEach((model, partition) => {
      const log = this.world.log(partition);
      const where = `${log.name} after ${after}`;
      const undone = model.noteComeBack(log.logEndOffset);
      expect(
        log.logEndOffset <= model.endOffset,
        `${where}: end ${log.logEndOffset} is beyond ` +
          `${model.endOffset}`,
      );
      expect(
        log.logStartOffset <= model.startOffset,
        `${where}: start ${log.logStartOffset} has ` +
          `moved beyond ${model.startOffset}`,
      );
      expect(log.durableEndOffset === log.logEndOffset, `${where}: the end is not durable`);
      const wasSafe = model.batches.filter((batch) =>
        !batch.damaged && !batch.wasHit && mustSurvive(batch)
      );
      const gone = new Set([...undone, ...model.cut(log.logEndOffset)]);
      expect(
        model.batches.at(-1) === undefined || model.endOffset >= model.batches.at(-1)!.lastOffset,
        `${where}: the log ends inside a batch`,
      );
      // A start that has come back from before a deletion shows old batches again: no harm.
      model.hasComeBack ||= log.logStartOffset < model.startOffset;
      model.startOffset = log.logStartOffset;
      for (const batch of model.batches) {
        if (batch.lastOffset < log.logStartOffset) {
          // Whether recovery could still read it, and so knows it as its producer's, can't be told.
          batch.damaged ||= batch.wasHit;
          continue;
        }
        const offset = Math.max(batch.baseOffset, log.logStartOffset);
        const result = this.checks.read(log, offset, 1, true);
        batch.damaged = !result.ok;
        if (result.ok) this.checks.compare(where, batch, result, batch.baseOffset);
        if (!result.ok) {
          expect(
            result.error === Errors.CORRUPT_MESSAGE,
            `${where}: ${errorName(result.error)} ` +
              `at ${batch.baseOffset}`,
          );
          expect(
            !intact[partition]!.has(batch),
            `${where}: the good batch at ` +
              `${batch.baseOffset} cannot be read`,
          );
        }
      }
      for (const batch of wasSafe) {
        if (batch.lastOffset < log.logStartOffset) continue;
        const isLost = gone.has(batch) || batch.damaged;
        expect(!isLost, `${where}: the acknowledged batch at ${batch.baseOffset} is lost`);
      }
      model.restartProducers(gone, after === "power cut" && this.world.options.durability === "os");
      for (const batch of model.batches) batch.safe = !batch.damaged;
    });
    this.checks.checkAll();
  }

  private heal(): void {
    this.world.stopFailures();
    this.world.disk.faults.maxBytes = Infinity;
    // What was under way may still fail.
    this.world.clock.advance(1000);
    for (let left = 5; left > 0 && this.world.dir.failure !== null; left--) {
      this.crash(true);
      this.world.disk.faults.failingSyncPercent = 0;
    }
    for (let partition = 0; partition < this.world.models.length; partition++) {
      const model = this.world.models[partition]!;
      const before = model.endOffset;
      for (let left = 100; left > 0 && model.endOffset === before; left--) {
        this.clients.append(partition);
      }
      if (model.endOffset === before) throw new LivenessError(`nothing can be appended`);
      const log = this.world.log(partition);
      this.world.clock.advance(60_000);
      if (log.durableEndOffset < model.endOffset) {
        throw new LivenessError(`${log.name}: ${model.endOffset} is not durable after a minute`);
      }
    }
    this.checks.observe();
    this.checks.checkAll();
  }
}
