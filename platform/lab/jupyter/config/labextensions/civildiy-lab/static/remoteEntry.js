// JupyterLab loads this as a federated module; it is written by hand, so nothing has to be built.
// It puts the notebooks and the dashboards into the launcher and the stack's state into the status bar.
window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB['civildiy-lab'] = (() => {
  const EVERY_MS = 4000;
  // The launcher lists categories of extensions last; the course is what people came for.
  const STYLE = `
    .jp-Launcher-content { display: flex; flex-direction: column; }
    .jp-Launcher-cwd { order: -3; }
    .jp-Launcher-section:nth-last-child(2) { order: -2; }
    .jp-Launcher-section:last-child { order: -1; }
    .civildiy-status { line-height: 24px; padding: 0 8px; }`;
  let shared;

  // A module that JupyterLab itself has loaded: its newest version in the shared scope.
  async function library(name) {
    const versions = Object.values(shared[name]);
    return (await versions[versions.length - 1].get())();
  }

  function icon(LabIcon, name, letters) {
    const svgstr =
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24">' +
      '<rect class="jp-icon3" x="1" y="3" width="22" height="18" rx="3" fill="#616161"/>' +
      '<text x="12" y="16.5" font-size="11" font-family="system-ui" font-weight="700"' +
      ` text-anchor="middle" fill="#fff">${letters}</text></svg>`;
    return new LabIcon({ name: `civildiy-lab:${name}`, svgstr });
  }

  async function plugin() {
    const [{ ILauncher }, { IStatusBar }, { Widget }, { LabIcon }, { PageConfig, URLExt }] = await Promise.all(
      ['@jupyterlab/launcher', '@jupyterlab/statusbar', '@lumino/widgets', '@jupyterlab/ui-components',
       '@jupyterlab/coreutils'].map(library));
    const base = PageConfig.getBaseUrl();
    async function ask(path) {
      const answer = await fetch(URLExt.join(base, 'civildiy', path), { credentials: 'same-origin' });
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      return answer.json();
    }

    function fillLauncher(app, launcher, course) {
      course.notebooks.forEach((notebook, rank) => {
        const command = `civildiy-lab:notebook-${rank}`;
        app.commands.addCommand(command, {
          label: notebook.title,
          icon: icon(LabIcon, `notebook-${rank}`, notebook.title.slice(0, 2)),
          execute: () => app.commands.execute('docmanager:open', { path: notebook.path }),
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
      description: 'The course in the launcher, and the state of the stack.',
      autoStart: true,
      optional: [ILauncher, IStatusBar],
      activate: async (app, launcher, statusBar) => {
        document.head.append(Object.assign(document.createElement('style'), { textContent: STYLE }));
        if (statusBar) addStatus(statusBar);
        if (launcher) fillLauncher(app, launcher, await ask('course'));
      },
    };
  }

  return {
    init: scope => { shared = scope; },
    get: async () => {
      const made = await plugin();
      return () => ({ __esModule: true, default: made });
    },
  };
})();
