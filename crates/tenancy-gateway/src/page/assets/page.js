// Shows what has changed, every few seconds while somebody looks. Without it the page does the same by a reload.
'use strict';

const EVERY = 4000;

async function refresh() {
  const before = document.querySelector('main[data-refresh]');
  if (!before || document.hidden) return;
  const answer = await fetch(location.href, { credentials: 'same-origin', redirect: 'error' });
  const kind = answer.headers.get('Content-Type') ?? '';
  if (!kind.startsWith('text/html')) return;
  // A document of its own: no script of it runs.
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const after = page.querySelector('main');
  if (!after || after.outerHTML === before.outerHTML) return;
  const focused = document.activeElement?.id;
  const scrolled = [...before.querySelectorAll('.scroll')].map((region) => region.scrollLeft);
  before.replaceWith(after);
  after.querySelectorAll('.scroll').forEach((region, at) => { region.scrollLeft = scrolled[at] ?? 0; });
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// An answer that does not come is asked for again the next time.
const tick = () => refresh().catch(() => {}).finally(() => setTimeout(tick, EVERY));
setTimeout(tick, EVERY);
document.addEventListener('visibilitychange', () => refresh().catch(() => {}));
