/**
 * A stock market. Trades become a bar of each symbol for every two seconds (open, high, low, close),
 * given out once, when they are over; and trades that are large in the money of their
 * instrument are told at once. What an instrument is called and traded in comes from a table.
 */
import { string, TopologyBuilder, tumbling, untilWindowCloses } from "kstream/stream";

export const config = { "application.id": "market" };

/** The key is the symbol. */
export interface Trade {
  readonly price: number;
  readonly size: number;
}

/** As it stands in the CSV file. The key is the symbol. */
export interface Instrument {
  readonly name: string;
  readonly currency: string;
  /** From which amount on a trade is large. */
  readonly large: string;
}

export interface Bar {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

export interface NamedBar extends Bar {
  readonly from: string;
  readonly name: string;
  readonly currency: string;
}

export interface LargeTrade extends Trade {
  readonly name: string;
  readonly amount: number;
  readonly currency: string;
}

const builder = new TopologyBuilder();
const trades = builder.stream<string, Trade>("trades");
// Every member has all of it, so nothing has to be partitioned by symbol for the joins.
const instruments = builder.globalTable<string, Instrument>("instruments", "instruments");

trades.mapValues<Bar>(({ price, size }) => {
  return { open: price, high: price, low: price, close: price, volume: size };
})
  .groupByKey()
  // Trades that come half a second late still count.
  .windowedBy(tumbling({ sizeMs: 2_000, graceMs: 500 }))
  .reduce("bars", (bar, next) => ({
    open: bar.open,
    high: Math.max(bar.high, next.high),
    low: Math.min(bar.low, next.low),
    close: next.close,
    volume: bar.volume + next.volume,
  }))
  .suppress("closed-bars", untilWindowCloses())
  .toStream()
  .map(
    (bar, { key, window }) => [key, { ...bar!, from: new Date(window.startMs).toISOString() }],
    { key: string() },
  )
  .joinGlobal(instruments, (_, symbol) => symbol, (bar, { name, currency }): NamedBar => {
    return { ...bar, name, currency };
  })
  .to("bars");

trades.joinGlobal(instruments, (_, symbol) => symbol, largeTrade)
  .filter((trade): trade is LargeTrade => trade !== null)
  .to("large-trades");

function largeTrade(trade: Trade, { name, currency, large }: Instrument): LargeTrade | null {
  const amount = Math.round(trade.price * trade.size);
  return amount < Number(large) ? null : { ...trade, name, amount, currency };
}

export default builder;
