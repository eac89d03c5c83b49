// Hears of finished calls as they end. Reconnects by itself, and says how it is.

export function listen({ calls, missed, state }) {
  let source;
  let again;
  const open = () => {
    clearTimeout(again);
    source = new EventSource("api/live");
    source.addEventListener("open", () => {
      state("live");
      missed(); // whatever there was while nobody listened
    });
    source.addEventListener("calls", (event) => calls(JSON.parse(event.data)));
    source.addEventListener("missed", missed);
    source.addEventListener("error", () => {
      state("lost");
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 5000); // refused: the browser gives up
    });
  };
  const close = () => {
    clearTimeout(again);
    source?.close();
  };
  // a hidden tab would take one of the few places
  document.addEventListener("visibilitychange", () => {
    close();
    if (document.hidden) state("waiting");
    else open();
  });
  if (!document.hidden) open();
}
