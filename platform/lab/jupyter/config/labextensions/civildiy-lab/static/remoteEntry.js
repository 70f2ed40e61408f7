// JupyterLab loads this as a federated module; it is written by hand, so nothing has to be built.
// One plugin puts the course into the launcher and the system's state into the status bar. The other one
// lets "Run" wait until a notebook that was just opened has its cells and its kernel.
window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB['civildiy-lab'] = (() => {
  const EVERY_MS = 4000;
  const KERNEL_MS = 60000;
  const RUNS = /^notebook:(run-|restart-run|restart-and-run)/;
  // The launcher lists categories of extensions last. Learners come for the course, so it is first.
  const STYLE = `
    .jp-Launcher-content { display: flex; flex-direction: column; }
    .jp-Launcher-cwd { order: -3; }
    .jp-Launcher-section:nth-last-child(2) { order: -2; }
    .jp-Launcher-section:last-child { order: -1; }
    .civildiy-status { line-height: 24px; padding: 0 8px; }`;
  // The colour of a card and the sign on it. The card's label says the same in words.
  const MARKS = {
    passed: ['#2e7d32', '✓'],
    'in progress': ['#1565c0', '…'],
    next: ['#a04000', '→'],
  };
  let shared;

  // A module that JupyterLab itself has loaded: its newest version in the shared scope.
  async function library(name) {
    const versions = Object.values(shared[name]);
    return (await versions[versions.length - 1].get())();
  }

  function icon(LabIcon, name, letters, standing) {
    // Each colour has enough contrast to white letters, and to the card in a light and in a dark theme.
    const [colour, sign] = MARKS[standing] || ['#616161', ''];
    const badge = sign
      ? `<circle cx="19.5" cy="4.5" r="4.5" fill="#fff"/><circle cx="19.5" cy="4.5" r="4" fill="${colour}"/>` +
        `<text x="19.5" y="7" font-size="7" font-family="system-ui" font-weight="700" text-anchor="middle"` +
        ` fill="#fff">${sign}</text>`
      : '';
    const svgstr =
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24">' +
      `<rect fill="${colour}" x="1" y="3" width="22" height="18" rx="3"/>` +
      '<text x="12" y="16.5" font-size="11" font-family="system-ui" font-weight="700"' +
      ` text-anchor="middle" fill="#fff">${letters}</text>${badge}</svg>`;
    return new LabIcon({ name: `civildiy-lab:${name}-${standing || 'plain'}`.replace(/ /g, '-'), svgstr });
  }

  async function coursePlugin() {
    const [{ ILauncher }, { IStatusBar }, { Widget }, { LabIcon }, { PageConfig, URLExt },
      { Dialog, InputDialog, showDialog }, { ServerConnection }] = await Promise.all(
      ['@jupyterlab/launcher', '@jupyterlab/statusbar', '@lumino/widgets', '@jupyterlab/ui-components',
       '@jupyterlab/coreutils', '@jupyterlab/apputils', '@jupyterlab/services'].map(library));
    const base = PageConfig.getBaseUrl();
    const icons = {};
    async function ask(path) {
      const answer = await fetch(URLExt.join(base, 'civildiy', path), { credentials: 'same-origin' });
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      return answer.json();
    }

    function iconOf(name, letters, standing) {
      return (icons[`${name} ${standing}`] ??= icon(LabIcon, name, letters, standing));
    }

    function fillLauncher(app, launcher, course) {
      course.notebooks.forEach(({ path }, rank) => {
        const command = `civildiy-lab:notebook-${rank}`;
        const now = () => course.notebooks[rank];
        app.commands.addCommand(command, {
          label: () => (now().line ? `${now().title} (${now().line})` : now().title),
          caption: () => now().title,
          icon: () => iconOf(`notebook-${rank}`, now().title.slice(0, 2), now().standing),
          execute: () => app.commands.execute('docmanager:open', { path }),
        });
        launcher.add({ command, category: 'CivilDIY Lab: the course', rank });
      });
      course.pages.forEach((page, rank) => {
        const command = `civildiy-lab:page-${rank}`;
        app.commands.addCommand(command, {
          label: page.title,
          icon: icon(LabIcon, `page-${rank}`, '↗'),
          execute: () => window.open(new URL(page.url, base).href, '_blank', 'noopener'),
        });
        launcher.add({ command, category: 'The running system', rank });
      });
      // After a check, a card shows the new outcome without a reload of the page.
      setInterval(async () => {
        if (document.hidden) return;
        const { notebooks } = await ask('course').catch(() => course);
        if (JSON.stringify(notebooks) === JSON.stringify(course.notebooks)) return;
        course.notebooks.splice(0, notebooks.length, ...notebooks);
        launcher.stateChanged.emit(undefined);
      }, EVERY_MS);
    }

    // Asks for the name, lets the server write the archive, and shows what is in it and where it is.
    async function submitWork() {
      const asked = await InputDialog.getText({
        title: 'Submit your work',
        label: 'Your name, as your instructor knows it:',
        okLabel: 'Make the archive',
      });
      if (!asked.button.accept || !asked.value) return;
      const settings = ServerConnection.makeSettings();
      const answer = await ServerConnection.makeRequest(URLExt.join(base, 'civildiy', 'submit'),
        { method: 'POST', body: JSON.stringify({ name: asked.value }) }, settings);
      const made = answer.ok ? await answer.json() : { error: `The server answered ${answer.status}.` };
      const body = new Widget();
      body.node.style.whiteSpace = 'pre-wrap';
      body.node.textContent = made.error || [
        ...made.labs, '', 'In the archive, and nothing else of this machine:', ...made.members, '',
        `The archive: ${made.path}`].join('\n');
      const buttons = [Dialog.cancelButton({ label: 'Close' })];
      if (!made.error) buttons.push(Dialog.okButton({ label: 'Download' }));
      const chosen = await showDialog({ title: made.error ? 'No archive was made' : 'Your archive', body, buttons });
      if (chosen.button.accept) {
        const link = URLExt.join(base, 'files', URLExt.encodeParts(made.path));
        Object.assign(document.createElement('a'), { href: `${link}?download=1`, download: '' }).click();
      }
    }

    function addSubmit(app, launcher) {
      const command = 'civildiy-lab:submit';
      app.commands.addCommand(command, {
        label: 'Submit your work',
        caption: 'Put your files, verdicts and predictions into one archive for your instructor',
        icon: icon(LabIcon, 'submit', '✉'),
        execute: submitWork,
      });
      launcher.add({ command, category: 'CivilDIY Lab: the course', rank: 100 });
    }

    // The tabs of the last visit are opened again; the launcher is shown in front of them.
    async function openLauncher(app) {
      await app.restored;
      if (PageConfig.getOption('treePath')) return; // the address names a file
      const open = [...app.shell.widgets('main')].find(widget => widget.node.querySelector('.jp-Launcher'));
      if (open) app.shell.activateById(open.id);
      else await app.commands.execute('launcher:create');
    }

    // With the keyboard alone: the card of the notebook that comes next has the focus when JupyterLab opens, the
    // arrow keys go from card to card, and Enter opens one.
    function useKeyboard(course) {
      const cards = () => [...document.querySelectorAll('.jp-Launcher .jp-LauncherCard')].filter(card => card.offsetParent);
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      document.addEventListener('keydown', event => {
        const all = cards();
        const at = all.indexOf(document.activeElement);
        if (at < 0 || !(event.key in step) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        all[(at + step[event.key] + all.length) % all.length].focus();
      });
      const next = course.notebooks.find(({ standing }) => ['in progress', 'next'].includes(standing)) || course.notebooks[0];
      let tries = 50;
      const focus = () => {
        const active = document.activeElement;
        if (active && active !== document.body && !active.classList.contains('jp-Launcher')) return; // somebody is typing
        const card = cards().find(({ title }) => title === next.title);
        if (card) card.focus();
        else if (tries-- > 0) setTimeout(focus, 100); // the launcher is not drawn yet
      };
      focus();
    }

    // Inside a prediction or a panel of a lab the keys belong to it: otherwise an arrow key would go to the next cell.
    function giveKeysToWidgets() {
      document.addEventListener('focusin', ({ target }) => {
        const widget = target.closest && target.closest('.jp-OutputArea .jupyter-widgets');
        if (widget) widget.dataset.lmSuppressShortcuts = 'true';
      });
    }

    function addStatus(statusBar) {
      const item = new Widget();
      item.addClass('civildiy-status');
      item.node.setAttribute('role', 'status');
      const show = state => {
        const text = `${state.good ? '✓' : '✗'} ${state.line}`;
        if (item.node.textContent !== text) item.node.textContent = text;
        item.node.title = 'State of the system. In a terminal: ./lab status';
        item.node.style.fontWeight = state.good ? '' : '700';
      };
      const look = async () => {
        try {
          show(await ask('status'));
        } catch {
          show({ good: false, line: 'The state of the system is unknown: look in a terminal with ./lab status' });
        }
        setTimeout(look, EVERY_MS);
      };
      look();
      statusBar.registerStatusItem('civildiy-lab:status', { item, align: 'left', rank: 100 });
    }

    return {
      id: 'civildiy-lab:plugin',
      description: 'The course in the launcher, and the state of the system in the status bar.',
      autoStart: true,
      optional: [ILauncher, IStatusBar],
      activate: (app, launcher, statusBar) => {
        document.head.append(Object.assign(document.createElement('style'), { textContent: STYLE }));
        giveKeysToWidgets();
        if (statusBar) addStatus(statusBar);
        if (!launcher) return;
        addSubmit(app, launcher);
        const opened = openLauncher(app);
        // Nothing waits for the answer: JupyterLab starts while the server looks for it.
        ask('course').then(async course => {
          fillLauncher(app, launcher, course);
          await opened;
          useKeyboard(course);
        }).catch(error => console.error(error));
      },
    };
  }

  // A notebook is shown before its file is read and its kernel is connected. What "Run All Cells" does
  // meanwhile is lost: JupyterLab runs the cells that are there, and ignores a cell without a kernel.
  async function runPlugin() {
    const { INotebookTracker } = await library('@jupyterlab/notebook');
    return {
      id: 'civildiy-lab:run',
      description: 'Lets the commands that run cells wait until the notebook can run them.',
      autoStart: true,
      requires: [INotebookTracker],
      activate: (app, tracker) => {
        const execute = app.commands.execute.bind(app.commands);
        const usable = ({ context, sessionContext }) => context.isReady && sessionContext.isReady;
        app.commands.execute = async (id, args) => {
          const panel = tracker.currentWidget;
          if (!RUNS.test(id) || !panel || usable(panel)) return execute(id, args);
          const limit = new Promise(resolve => setTimeout(resolve, KERNEL_MS));
          await Promise.race([Promise.all([panel.context.ready, panel.sessionContext.ready]), limit]);
          if (panel.isDisposed) return undefined;
          app.shell.activateById(panel.id); // the command is for this notebook, also if another one is in front
          return execute(id, args);
        };
      },
    };
  }

  return {
    init: scope => { shared = scope; },
    get: async () => {
      const made = await Promise.all([coursePlugin(), runPlugin()]);
      return () => ({ __esModule: true, default: made });
    },
  };
})();
