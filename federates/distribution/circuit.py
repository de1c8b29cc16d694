"""OpenDSS behind the project's verbs: the only file that imports it.

One :class:`Circuit` is one isolated engine context. Powers are in kVA, voltages in volts line-to-neutral.
Engine facts this file rests on (DSS C-API 0.14.5): divergence raises nothing, so ``Converged`` is read after
every solve; a load far below its rated voltage becomes an impedance and hides a collapse, so its voltage is
read too; a load's kW is set before its kvar, because kW keeps the power factor; batch setters rebuild the
admittance matrix unless they carry ``AvoidFullRecalc``; a tap that the engine moves is a sum of steps, which
differs in its last bits from the tap of that number, so the ratio itself is saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altdss.enums
import dss
import numpy as np

from federates.core.arrays import ComplexArray, FloatArray, IntArray
from federates.core.errors import CollapsedError, ConfigError, DivergedError, ModelError
from federates.distribution.layout import (
    Branch,
    CircuitLayout,
    Control,
    LoadRatings,
    Shunt,
    SolveReport,
    Source,
    Terminal,
)
from federates.distribution.legs import load_legs
from federates.distribution.metering import Metering
from federates.distribution.regulation import RelaySettings, relay_directions, within_limits
from federates.distribution.switched import SwitchedState

__all__ = ["Branch", "Circuit", "CircuitLayout", "Control", "Shunt", "SolveReport", "Terminal"]

_KEEP_Y = altdss.enums.SetterFlags.AvoidFullRecalc
_MAX_ITERATIONS = 200
_MAX_TAP_EVENTS = 2000
_OFF, _STATIC = -1, 0
COLLAPSE_PU = 0.7
"""A load that draws power below this voltage is not served: the solution is a collapse. [pu]"""
_EXPONENTS = {1: (0.0, 0.0), 2: (2.0, 2.0), 3: (0.0, 2.0), 5: (1.0, 1.0)}
"""Powers of the voltage with which P and Q go, by the engine's load models."""
_CVR = 4
"""The load model that states its own powers."""


class Circuit:
    """A circuit in an engine context of its own.

    Parameters
    ----------
    script
        Commands that define the circuit, in order, with neither ``solve`` nor options.
    tolerance
        Power-flow tolerance. [pu]
    layout
        Names and order of what is set and read.

    Raises
    ------
    ConfigError
        If the engine refuses a command, or the layout names what the script does not define.
    """

    def __init__(self, script: Sequence[str], *, tolerance: float = 1e-8, layout: CircuitLayout) -> None:
        self.layout = layout
        self._is_solved = False
        self._voltages: ComplexArray | None = None
        self._powers: ComplexArray | None = None
        context = dss.DSS.NewContext()
        context.AllowEditor = False
        context.AllowChangeDir = False
        context.AllowDOScmd = False
        self._context = context
        options = (
            f"set tolerance={tolerance!r} maxiterations={_MAX_ITERATIONS} maxcontroliter={_MAX_ITERATIONS}",
            "set mode=snapshot controlmode=off",
        )
        for command in ("clear", *script, *options):
            self._command(command)
        self._circuit = context.ActiveCircuit
        self._solution = self._circuit.Solution
        self._batches = context.to_altdss()
        self._control_mode = _OFF
        self._solve_engine()

        self.node_names: tuple[str, ...] = tuple(self._circuit.AllNodeNames)
        self._places = {name: place for place, name in enumerate(self.node_names)}
        self.node_base_v: FloatArray = np.array(
            [
                1e3 * self._bus_base_kv(name)
                for name in self._circuit.AllBusNames
                for _ in self._bus_nodes(name)
            ]
        )
        self._timers_s: FloatArray = np.zeros(len(layout.regulators))
        self._directions: FloatArray = np.zeros(len(layout.regulators))
        self._index_elements()
        self._index_setters()
        self._index_regulators()
        ratings = self.load_ratings()
        self._legs = load_legs(self.load_nodes, ratings)
        self._load_kva: ComplexArray = ratings.kw + 1j * ratings.kvar
        self._der_kva: ComplexArray = self._script_ders_kva()

    # -- what is set ------------------------------------------------------------------------------------

    def set_source(self, v_pu: float, angle_deg: float) -> None:
        """Set the balanced positive-sequence voltage at the source's bus."""
        source = self._circuit.Vsources
        source.pu = v_pu
        source.AngleDeg = angle_deg

    def set_loads(self, p_kw: FloatArray, q_kvar: FloatArray) -> None:
        """Set what the loads draw at rated voltage, shapes (loads,), in the layout's order. [kW, kvar]"""
        self._load_kva = np.asarray(p_kw + 1j * q_kvar)
        if self._load_order.size:
            loads = self._batches.Load
            loads._set_kW(p_kw[self._load_order], flags=_KEEP_Y)  # noqa: SLF001
            loads._set_kvar(q_kvar[self._load_order], flags=_KEEP_Y)  # noqa: SLF001

    def set_ders(self, p_kw: FloatArray, q_kvar: FloatArray) -> None:
        """Set what the DERs inject, shapes (ders,), in the layout's order. [kW, kvar]"""
        self._der_kva = np.asarray(p_kw + 1j * q_kvar)
        if self._der_order.size:
            ders = self._batches.Generator
            ders._set_kW(p_kw[self._der_order], flags=_KEEP_Y)  # noqa: SLF001
            ders._set_kvar(q_kvar[self._der_order], flags=_KEEP_Y)  # noqa: SLF001

    def set_taps(self, taps: FloatArray) -> None:
        """Set the tap positions, shape (regulators,), whole steps from -16 to 16."""
        positions = np.round(taps).astype(np.int32)[self._regulator_order]
        if positions.size:
            self._batches.RegControl.TapNum = positions
        self._forget()

    # -- solving ----------------------------------------------------------------------------------------

    def solve(self, control: Control, step_s: int = 60) -> SolveReport:
        """Solve the power flow and report how it went.

        After an error there is nothing to read until a solve succeeds.

        Parameters
        ----------
        control
            What the regulators do.
        step_s
            Time that passes under ``Control.TIME``. [s]

        Raises
        ------
        DivergedError
            If the power flow or the controls do not settle.
        CollapsedError
            If a load that draws power is left below ``COLLAPSE_PU``.
        """
        try:
            report = self._controlled(control, step_s)
            self._refuse_collapse()
        except DivergedError:
            self._is_solved = False
            self._forget()
            raise
        return report

    def _controlled(self, control: Control, step_s: int) -> SolveReport:
        if control is Control.TIME:
            return self._solve_time(step_s)
        if control is Control.STATIC:
            before = self.taps()
            self._set_control_mode(_STATIC)
            self._solve_engine()
            self._timers_s[:] = 0.0
            return self._report(self._solution.ControlIterations, np.abs(self.taps() - before).sum())
        self._set_control_mode(_OFF)
        self._solve_engine()
        return self._report(0, 0)

    def _solve_time(self, step_s: int) -> SolveReport:
        """Play the regulators' events of the step in their order, solving after each."""
        self._set_control_mode(_OFF)
        self._solve_engine()
        left_s, moves = float(step_s), 0
        for events in range(_MAX_TAP_EVENTS):
            directions = self._tap_directions()
            active = directions != 0
            self._timers_s = np.where(active & (directions == self._directions), self._timers_s, 0.0)
            self._directions = directions
            wait_s = np.where(active, self._relays.delay_s - self._timers_s, np.inf)
            first_s = float(wait_s.min(initial=np.inf))
            if first_s > left_s:
                self._timers_s += np.where(active, left_s, 0.0)
                return self._report(events, moves)
            left_s -= first_s
            due = wait_s <= first_s
            self._timers_s = np.where(active & ~due, self._timers_s + first_s, 0.0)
            self.set_taps(self.taps() + np.where(due, directions, 0.0))
            moves += int(due.sum())
            self._solve_engine()
        raise DivergedError(
            f"circuit {self.layout.name!r}: regulators moved {_MAX_TAP_EVENTS} times in {step_s} s; "
            "check their delays and bandwidths"
        )

    def _refuse_collapse(self) -> None:
        legs, v_v = self._legs, self.node_voltages_v()
        v_pu = np.abs(legs.across_v(v_v)) / legs.rated_v
        if (v_pu >= COLLAPSE_PU).all():
            return
        lost = legs.element[(v_pu < COLLAPSE_PU) & (self._load_kva[legs.element] != 0.0)]
        if lost.size:
            raise CollapsedError(
                f"circuit {self.layout.name!r}: voltage collapse: {np.unique(lost).size} loads, first "
                f"{self.layout.loads[lost[0]]!r}, are below {COLLAPSE_PU} pu (lowest {v_pu.min():.3f}); "
                "the loading is beyond what the circuit can serve"
            )

    # -- what is read -----------------------------------------------------------------------------------

    def node_voltages_v(self) -> ComplexArray:
        """Return the voltages to ground, shape (nodes,). [V]"""
        if self._voltages is None:
            self._require_solution()
            self._voltages = np.array(self._circuit.AllBusVolts).view(np.complex128)
        return self._voltages

    def node_v_pu(self) -> FloatArray:
        """Return the voltage magnitudes on each node's base, shape (nodes,). [pu]"""
        return np.abs(self.node_voltages_v()) / self.node_base_v

    def head_power_kva(self) -> ComplexArray:
        """Return what is drawn from the source per phase, shape (3,), import positive. [kVA]"""
        return self._metering.head_power_kva(self._terminal_kva())

    def feeder_power_kva(self) -> ComplexArray:
        """Return what each feeder draws at its head, shape (feeders, 3), import positive. [kVA]"""
        return self._metering.feeder_power_kva(self._terminal_kva())

    def head_sequence_a(self) -> FloatArray:
        """Return zero-, positive- and negative-sequence current at the interface, shape (3,). [A]"""
        return self._metering.head_sequence_a(self._terminal_kva(), self.node_voltages_v())

    def line_loading_pu(self) -> FloatArray:
        """Return the largest phase current over the ampacity, shape (lines,), ordered as ``line_ids``."""
        return self._metering.line_loading_pu(self._terminal_kva(), self.node_voltages_v())

    def transformer_loading_pu(self) -> FloatArray:
        """Return the larger end's apparent power over the rating, shape (transformers,).

        Ordered as ``transformer_ids``; the engine's own percentage is not used, as it misses ratings.
        """
        return self._metering.transformer_loading_pu(self._terminal_kva())

    def losses_kva(self) -> complex:
        """Return the losses in lines and transformers; capacitors are none. [kVA]"""
        self._require_solution()
        loss = self._circuit.Losses
        return complex(loss[0], loss[1]) / 1e3

    def drawn_kva(self) -> ComplexArray:
        """Return what the loads draw at their present voltages, shape (loads,). [kVA]"""
        self._require_solution()
        drawn = np.zeros(self._load_order.size, dtype=np.complex128)
        if drawn.size:
            drawn[self._load_order] = np.array(self._batches.Load.TotalPowers()).view(np.complex128)
        return drawn

    def taps(self) -> FloatArray:
        """Return the tap positions, shape (regulators,), whole steps."""
        if not self._regulator_order.size:
            return np.zeros(0)
        positions = np.empty(self._regulator_order.size)
        positions[self._regulator_order] = self._batches.RegControl.TapNum.to_array()
        return positions

    def branches(self) -> tuple[Branch, ...]:
        """Return every series element."""
        return self._branches

    def shunts(self) -> tuple[Shunt, ...]:
        """Return every capacitor."""
        return self._shunts

    def yprim(self, element: str) -> ComplexArray:
        """Return an element's primitive admittance at its present tap, grounded conductors left out.

        Rows and columns follow ``nodes1`` then ``nodes2`` (or a shunt's ``nodes``). [S]
        """
        self._activate(element)
        active = self._circuit.ActiveCktElement
        flat = np.array(active.Yprim).view(np.complex128)
        side = round(np.sqrt(flat.size))
        kept = np.flatnonzero(np.array(active.NodeOrder) > 0)
        return flat.reshape(side, side).T[np.ix_(kept, kept)]

    def element_powers_kva(self, element: str) -> ComplexArray:
        """Return the powers into an element's ungrounded conductors, in the order of its nodes. [kVA]"""
        self._require_solution()
        self._activate(element)
        active = self._circuit.ActiveCktElement
        flat = np.array(active.Powers).view(np.complex128)
        return flat[np.array(active.NodeOrder) > 0]

    def load_ratings(self) -> LoadRatings:
        """Return what the script says of the loads."""
        loads = self._circuit.Loads
        rows = []
        for name in self.layout.loads:
            loads.Name = name
            exponents = _EXPONENTS.get(loads.Model, (np.nan, np.nan))
            if loads.Model == _CVR:
                exponents = (loads.CVRwatts, loads.CVRvars)
            low = float(self._circuit.ActiveCktElement.Properties("VLowpu").Val)
            limits = (low, loads.Vminpu, loads.Vmaxpu)
            row = (loads.kW, loads.kvar, loads.kV, loads.Phases, loads.IsDelta, loads.Model)
            rows.append((*row, *limits, *exponents))
        table = np.array(rows, dtype=np.float64).reshape(-1, 11).T
        return LoadRatings(
            kw=table[0],
            kvar=table[1],
            kv=table[2],
            phases_count=table[3].astype(np.int64),
            is_delta=table[4].astype(np.bool_),
            model=table[5].astype(np.int64),
            v_low_pu=table[6],
            v_min_pu=table[7],
            v_max_pu=table[8],
            p_exponent=table[9],
            q_exponent=table[10],
        )

    def loads_kva(self) -> ComplexArray:
        """Return what the loads were last asked to draw at rated voltage, shape (loads,). [kVA]"""
        return self._load_kva.copy()

    def ders_kva(self) -> ComplexArray:
        """Return what the DERs were last asked to inject, shape (ders,). [kVA]"""
        return self._der_kva.copy()

    def _script_ders_kva(self) -> ComplexArray:
        generators = self._circuit.Generators
        injected = []
        for name in self.layout.ders:
            generators.Name = name
            injected.append(complex(generators.kW, generators.kvar))
        return np.array(injected, dtype=np.complex128)

    def line_lengths(self) -> FloatArray:
        """Return the lines' lengths in the script's units, shape (lines,), ordered as ``line_ids``."""
        lines = self._circuit.Lines
        lengths = []
        for name in self.line_ids:
            lines.Name = name.split(".", 1)[1]
            lengths.append(lines.Length)
        return np.array(lengths, dtype=np.float64)

    def source(self) -> Source:
        """Return the source that the script defines."""
        source = self._circuit.Vsources
        source.First  # noqa: B018 - reading it makes the source active
        self._activate(f"vsource.{source.Name}")
        bus = self._circuit.ActiveCktElement.BusNames[0].split(".")[0].lower()
        return Source(bus=bus, base_kv=float(source.BasekV), phases_count=int(source.Phases))

    def source_shunt(self) -> Shunt:
        """Return the source's impedance as an element to ground; its primitive admittance is `yprim`'s."""
        source = self._circuit.Vsources
        source.First  # noqa: B018 - reading it makes the source active
        name = f"Vsource.{source.Name}"
        return Shunt(name=name, nodes=self._ungrounded(name))

    def save(self) -> dict[str, FloatArray]:
        """Return the state that outlasts a step.

        Taps as ratios, capacitor steps, and how long each relay has been out of band in which direction.
        """
        return {
            "tap_pu": self._switched.tap_pu(),
            "capacitors": self._switched.capacitor_steps(),
            "timers_s": self._timers_s.copy(),
            "directions": self._directions.copy(),
        }

    def restore(self, state: Mapping[str, FloatArray]) -> None:
        """Take up a saved state; nothing is solved."""
        self._switched.set_tap_pu(state["tap_pu"])
        self._switched.set_capacitor_steps(state["capacitors"])
        self._forget()
        self._timers_s = np.array(state["timers_s"], dtype=np.float64)
        self._directions = np.array(state["directions"], dtype=np.float64)

    # -- inside -----------------------------------------------------------------------------------------

    def _command(self, command: str) -> None:
        try:
            self._context.Text.Command = command
        except dss.DSSException as error:
            raise ConfigError(f"circuit {self.layout.name!r}: {command!r}: {error}") from error

    def _require_solution(self) -> None:
        if not self._is_solved:
            raise ModelError(f"circuit {self.layout.name!r}: nothing to read, the last solve failed")

    def _solve_engine(self) -> None:
        self._is_solved = False
        try:
            self._solution.Solve()
        except dss.DSSException as error:
            raise DivergedError(f"circuit {self.layout.name!r}: {error}") from error
        finally:
            self._forget()
        if not self._solution.Converged:
            iterations = self._solution.Iterations
            self._solution.SolveDirect()  # else the next solve would start from the wreck of this one
            raise DivergedError(
                f"circuit {self.layout.name!r}: no convergence in {iterations} iterations; "
                "the loading is beyond what the circuit can carry, or the tolerance is too tight"
            )
        if not self._solution.ControlActionsDone:
            raise DivergedError(
                f"circuit {self.layout.name!r}: control actions left undone; check the regulators"
            )
        self._is_solved = True

    def _set_control_mode(self, mode: int) -> None:
        if mode != self._control_mode:
            self._solution.ControlMode = mode
            self._control_mode = mode

    def _report(self, control_iterations: int, tap_moves: float) -> SolveReport:
        return SolveReport(
            iterations=self._solution.Iterations,
            control_iterations=control_iterations,
            tap_moves=round(tap_moves),
        )

    def _forget(self) -> None:
        self._voltages = None
        self._powers = None

    def _terminal_kva(self) -> ComplexArray:
        if self._powers is None:
            self._require_solution()
            self._powers = np.array(self._circuit.PDElements.AllPowers).view(np.complex128)
        return self._powers

    def _tap_directions(self) -> FloatArray:
        voltage = self.node_voltages_v()[self._metering.node[self._regulated]]
        current = np.conj(-1e3 * self._terminal_kva()[self._regulated] / voltage)
        return within_limits(relay_directions(self._relays, voltage, current), self.taps())

    def _activate(self, element: str) -> None:
        if self._circuit.SetActiveElement(element) < 0:
            raise ModelError(f"circuit {self.layout.name!r} has no element {element!r}")

    def _bus_base_kv(self, bus: str) -> float:
        self._circuit.SetActiveBus(bus)
        return float(self._circuit.ActiveBus.kVBase)

    def _bus_nodes(self, bus: str) -> Sequence[int]:
        self._circuit.SetActiveBus(bus)
        nodes: Sequence[int] = self._circuit.ActiveBus.Nodes
        return nodes

    def _element_nodes(self, element: str) -> list[list[int]]:
        """Return the places of an element's conductors, end by end, -1 for ground."""
        self._activate(element)
        active = self._circuit.ActiveCktElement
        conductors, order = active.NumConductors, active.NodeOrder
        ends = []
        for end, name in enumerate(active.BusNames):
            bus = name.split(".")[0].lower()
            phases = order[conductors * end : conductors * (end + 1)]
            ends.append([self._places[f"{bus}.{phase}"] if phase else -1 for phase in phases])
        return ends

    def _index_elements(self) -> None:
        """Read every series element and capacitor, in the order of the engine's array of powers."""
        conductors: dict[str, list[list[int]]] = {}
        branches: list[Branch] = []
        shunts: list[Shunt] = []
        regulated = self._regulated_transformers()
        for name in self._circuit.PDElements.AllNames:
            ends = self._element_nodes(name)
            conductors[name] = ends
            first, *rest = (tuple(place for place in end if place >= 0) for end in ends)
            second = tuple(place for end in rest for place in end)  # none: a capacitor, in star or in delta
            if second:
                branches.append(self._branch(name, first, second, regulated, len(ends)))
            else:
                shunts.append(Shunt(name=name, nodes=first))
        self._branches = tuple(branches)
        self._shunts = tuple(shunts)
        self._metering = Metering(self.layout, self.node_names, conductors, branches)
        self.line_ids = self._metering.line_ids
        self.transformer_ids = self._metering.transformer_ids

    def _regulated_transformers(self) -> set[str]:
        controls = self._circuit.RegControls
        found = set()
        for name in self.layout.regulators:
            controls.Name = name
            found.add(controls.Transformer.lower())
        return found

    def _branch(
        self,
        name: str,
        nodes1: tuple[int, ...],
        nodes2: tuple[int, ...],
        regulated: set[str],
        ends_count: int,
    ) -> Branch:
        kind, short = name.split(".", 1)
        if kind.lower() == "line":
            ampacity_a = float(self._circuit.ActiveCktElement.NormalAmps)
            return Branch(
                name=name, kind="line", nodes1=nodes1, nodes2=nodes2, ampacity_a=ampacity_a, kva=np.inf
            )
        transformers = self._circuit.Transformers
        transformers.Name = short
        transformers.Wdg = 1
        kva = transformers.kVA
        return Branch(
            name=name,
            kind="regulator" if short.lower() in regulated else "transformer",
            nodes1=nodes1,
            nodes2=nodes2,
            ampacity_a=np.inf,
            kva=float(kva),
            ends_count=ends_count,
        )

    def _index_setters(self) -> None:
        self._load_order = self._order("load", self._circuit.Loads.AllNames, self.layout.loads)
        self._der_order = self._order("generator", self._circuit.Generators.AllNames, self.layout.ders)
        self.load_nodes = tuple(self._ungrounded(f"load.{name}") for name in self.layout.loads)
        self.der_nodes = tuple(self._ungrounded(f"generator.{name}") for name in self.layout.ders)

    def _ungrounded(self, element: str) -> tuple[int, ...]:
        return tuple(place for end in self._element_nodes(element) for place in end if place >= 0)

    def _order(self, what: str, engine: Sequence[str], wanted: Sequence[str]) -> IntArray:
        """Return for each of the engine's elements its place in the layout."""
        names = [name for name in engine if name.lower() != "none"]
        places = {name.lower(): place for place, name in enumerate(wanted)}
        if len(places) != len(wanted) or {name.lower() for name in names} != set(places):
            raise ConfigError(
                f"circuit {self.layout.name!r}: the layout must name each {what} of the script exactly once"
            )
        return np.array([places[name.lower()] for name in names], dtype=np.int64)

    def _index_regulators(self) -> None:
        controls = self._circuit.RegControls
        order = self._order("regcontrol", controls.AllNames, self.layout.regulators)
        self._regulator_order = order
        count = len(self.layout.regulators)
        columns = {
            key: np.zeros(count) for key in ("v_set_v", "bandwidth_v", "pt_ratio", "ct_primary_a", "delay_s")
        }
        ldc_v = np.zeros(count, dtype=np.complex128)
        regulated = np.zeros(count, dtype=np.int64)
        windings = []
        for place, name in enumerate(self.layout.regulators):
            controls.Name = name
            columns["v_set_v"][place] = controls.ForwardVreg
            columns["bandwidth_v"][place] = controls.ForwardBand
            columns["pt_ratio"][place] = controls.PTratio
            columns["ct_primary_a"][place] = controls.CTPrimary
            columns["delay_s"][place] = controls.Delay
            ldc_v[place] = complex(controls.ForwardR, controls.ForwardX)
            windings.append((controls.Transformer, controls.TapWinding))
            end = Terminal(element=f"transformer.{controls.Transformer}", number=controls.TapWinding)
            regulated[place] = self._metering.slots((end,))[0]
        self._switched = SwitchedState(self._circuit, windings)
        self._relays = RelaySettings(ldc_v=ldc_v, **columns)
        self._regulated = regulated
