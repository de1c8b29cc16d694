"""The words of OpenDSS scripts that Tandem understands; everything else is refused.

Property names are the engine's own, in full; an abbreviation is completed from them before it is passed on.
"""

from __future__ import annotations

_SHAPE = "yearly daily duty"
_COMMON = "basefreq enabled like"
_RATED = "normamps emergamps faultrate pctperm repair seasons ratings"
_DATA = "rdc rac runits gmrac gmrunits radius radunits normamps emergamps diam seasons ratings capradius like"
_CABLE = f"epsr inslayer diains diacable {_DATA}"
_WINDING = (
    "phases windings wdg conn kv kva tap %r rneut xneut conns kvs kvas taps xhl xht xlt xscarray thermal n m "
    "flrise hsrise %loadloss %noloadloss normhkva emerghkva maxtap mintap numtaps %imag ppm_antifloat %rs "
    "x12 x13 x23 rdcohms seasons ratings like"
)
_INVERTER = (
    "phases bus1 kv conn kw kvar pf kva %cutin %cutout effcurve varfollowinverter kvarmax kvarmaxabs "
    "wattpriority pfpriority %pminnovars %pminkvarmax %r %x model vminpu vmaxpu balanced limitcurrent class "
    f"usermodel userdata debugtrace spectrum dynamiceq dynout controlmode {_SHAPE} {_COMMON}"
)
_SOURCE = (
    "bus1 basekv pu angle frequency phases mvasc3 mvasc1 x1r1 x0r0 isc3 isc1 r1 x1 r0 x0 scantype sequence "
    f"bus2 z1 z0 z2 puz1 puz0 puz2 basemva model puzideal spectrum {_SHAPE} {_COMMON}"
)

PROPERTIES: dict[str, frozenset[str]] = {
    name: frozenset(words.split())
    for name, words in {
        "circuit": _SOURCE,
        "vsource": _SOURCE,
        "line": (
            "bus1 bus2 linecode length phases r1 x1 r0 x0 c1 c0 rmatrix xmatrix cmatrix switch rg xg rho "
            f"geometry units spacing wires earthmodel cncables tscables b1 b0 linetype {_RATED} {_COMMON}"
        ),
        "linecode": (
            "nphases r1 x1 r0 x0 c1 c0 units rmatrix xmatrix cmatrix basefreq kron rg xg rho neutral b1 b0 "
            f"linetype like {_RATED}"
        ),
        "linegeometry": (
            "nconds nphases cond wire x h units normamps emergamps reduce spacing wires cncable tscable "
            "cncables tscables seasons ratings linetype like"
        ),
        "linespacing": "nconds nphases x h units like",
        "wiredata": _DATA,
        "cndata": f"k diastrand gmrstrand rstrand {_CABLE}",
        "tsdata": f"diashield tapelayer tapelap {_CABLE}",
        "load": (
            "phases bus1 kv kw pf model growth conn kvar rneut xneut status class vminpu vmaxpu vminnorm "
            "vminemerg xfkva allocationfactor kva %mean %stddev cvrwatts cvrvars kwh kwhdays cfactor "
            f"cvrcurve numcust zipv %seriesrl relweight vlowpu puxharm xrharm spectrum {_SHAPE} {_COMMON}"
        ),
        "transformer": (
            f"bus buses sub subname bank xfmrcode xrconst leadlag wdgcurrents core {_WINDING} {_RATED} "
            f"{_COMMON}"
        ),
        "xfmrcode": _WINDING,
        "regcontrol": (
            "transformer winding vreg band ptratio ctprim r x bus delay reversible revvreg revband revr revx "
            "tapdelay debugtrace maxtapchange inversetime tapwinding vlimit ptphase revthreshold revdelay "
            f"revneutral eventlog remoteptratio tapnum reset ldc_z rev_z cogen {_COMMON}"
        ),
        "capacitor": (
            f"bus1 bus2 phases kvar kv conn cmatrix cuf r xl harm numsteps states {_RATED} {_COMMON}"
        ),
        "reactor": (
            "bus1 bus2 phases kvar kv conn rmatrix xmatrix parallel r x rp z1 z2 z0 z rcurve lcurve lmh "
            f"{_RATED} {_COMMON}"
        ),
        "capcontrol": (
            "element terminal capacitor type ptratio ctratio onsetting offsetting delay voltoverride vmax "
            "vmin delayoff deadtime ctphase ptphase vbus eventlog usermodel userdata pctminkvar reset "
            f"controlsignal {_COMMON}"
        ),
        "loadshape": (
            "npts interval mult hour mean stddev csvfile sngfile dblfile action qmult useactual pmax qmax "
            "sinterval minterval pbase qbase pmult pqcsvfile memorymapping interpolation like"
        ),
        "growthshape": "npts year mult csvfile sngfile dblfile like",
        "tcc_curve": "npts c_array t_array like",
        "xycurve": ("npts points yarray xarray csvfile sngfile dblfile x y xshift yshift xscale yscale like"),
        "spectrum": "numharm harmonic %mag angle csvfile like",
        "generator": (
            "phases bus1 kv kw pf kvar model vminpu vmaxpu dispmode dispvalue conn status class vpu maxkvar "
            "minkvar pvfactor forceon kva mva xd xdp xdpp h d usermodel userdata shaftmodel shaftdata "
            "dutystart debugtrace balanced xrdp usefuel fuelkwh %fuel %reserve refuel dynamiceq "
            f"dynout spectrum {_SHAPE} {_COMMON}"
        ),
        "pvsystem": (
            f"irradiance pmpp %pmpp temperature p-tcurve tyearly tdaily tduty dutystart {_INVERTER}"
        ),
        "storage": (
            "kwrated %kwrated kwhrated kwhstored %stored %reserve state %discharge %charge %effcharge "
            "%effdischarge %idlingkw %idlingkvar dispmode dischargetrigger chargetrigger timechargetrig "
            f"dynadll dynadata {_INVERTER}"
        ),
        "monitor": "element terminal mode action residual vipolar ppolar basefreq enabled like",
        "energymeter": (
            "element terminal action option kvanormal kvaemerg peakcurrent zonelist localonly mask losses "
            "linelosses xfmrlosses seqlosses 3phaselosses vbaselosses phasevoltagereport basefreq "
            "enabled like"
        ),
    }.items()
}
"""Properties by class: those that may be given, and those of ``REFUSED_PROPERTIES`` that the class has."""

REFUSED_PROPERTIES: dict[str, str] = {
    "usermodel": "loads a library into this process",
    "userdata": "is handed to a library",
    "shaftmodel": "loads a library into this process",
    "shaftdata": "is handed to a library",
    "dynadll": "loads a library into this process",
    "dynadata": "is handed to a library",
    "dynamiceq": "is a program of its own",
    "dynout": "is a program of its own",
    "debugtrace": "writes files",
    "action": "can write files",
    "memorymapping": "keeps a file open",
    "sngfile": "is binary; write the numbers as text and name them by csvfile",
    "dblfile": "is binary; write the numbers as text and name them by csvfile",
    "pqcsvfile": "holds two columns; give mult and qmult",
    "enabled": "hides elements; leave the element out instead",
    "reset": "is an action; leave it out",
}
"""Properties that are never passed on, and why."""

FILE_PROPERTIES: dict[str, str] = {"csvfile": "mult"}
"""Properties that name a file of numbers, and the property under which its numbers are passed on."""

DROPPED_CLASSES = frozenset({"monitor", "energymeter"})
"""Classes that measure only: screened, then left out."""

PASSED_OPTIONS = frozenset({"voltagebases", "defaultbasefrequency", "loadmult"})
"""Options of ``set`` that reach the engine."""

DROPPED_OPTIONS = frozenset(
    {
        *("mode", "controlmode", "algorithm", "tolerance", "maxiterations", "maxiter", "maxcontroliter"),
        *("stepsize", "h", "number", "hour", "sec", "time", "year", "random", "trapezoidal"),
        *("normvminpu", "normvmaxpu", "emergvminpu", "emergvmaxpu", "markertransformers"),
    }
)
"""Harmless options that Tandem sets itself or has no use for: screened, then left out."""

DROPPED_VERBS = frozenset({"solve", "buscoords", "latlongcoords"})
"""Commands that are screened, then left out: Tandem solves by itself and draws no map."""

REFUSED_WORDS: dict[str, str] = {
    **dict.fromkeys(("show", "dump", "fileedit", "editor"), "starts an editor, which is any program"),
    **dict.fromkeys(("export", "save", "plot", "visualize", "showexport"), "writes files or opens windows"),
    "doscmd": "runs a command of the system",
    **dict.fromkeys(("cd", "datapath"), "changes the folder of this process"),
    "compile": "changes the folder of this process; write redirect",
    **dict.fromkeys(("open", "close", "enable", "disable"), "changes the circuit; write it as it stands"),
}
"""Commands and options that users will meet, and why they are refused."""
